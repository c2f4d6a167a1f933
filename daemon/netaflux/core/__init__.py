"""What netaflux decides and knows, in pure code: no clock, socket, disk, log or chance."""
