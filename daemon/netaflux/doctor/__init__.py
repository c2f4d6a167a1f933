"""What `netaflux doctor` looks at by itself, when there may be no app: files, hosts, machine, daemon.

    visit       all examinations, each by itself and within its time
    places      where configuration, state and socket are, also where the configuration has mistakes
    files, hosts, machine, service    what is examined
    bundle      all of it in one file that can be shown to others

`commands/doctor` is the other half, which needs the app.
"""
