"""Small grey pictures, true JPEG files, whose shade and comment tell which event or face they are of."""

from struct import pack
from zlib import crc32

_EIGHT = 8


def jpeg(of: str) -> bytes:
    """A picture of 8 × 8 points (ITU-T T.81, baseline), all of one shade."""
    return b"".join(
        (
            b"\xff\xd8",
            _segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0"),
            _segment(0xFE, of.encode()),
            _segment(0xDB, b"\0" + b"\1" * 64),  # no quantization
            _segment(0xC0, pack(">BHHB", 8, _EIGHT, _EIGHT, 1) + b"\1\x11\0"),
            # direct current: the twelve sizes, four bits each; alternating current: only "nothing follows"
            _segment(0xC4, b"\0" + bytes((0, 0, 0, 12, *(0,) * 12)) + bytes(range(12))),
            _segment(0xC4, b"\x10" + bytes((1, *(0,) * 15)) + b"\0"),
            _segment(0xDA, b"\1\1\0\0\x3f\0"),
            _block(_shade(of)),
            b"\xff\xd9",
        )
    )


def _segment(marker: int, content: bytes) -> bytes:
    return pack(">BBH", 0xFF, marker, len(content) + 2) + content


def _shade(of: str) -> int:
    """How far from middle grey, never none."""
    return crc32(of.encode()) % 100 + 10


def _block(shade: int) -> bytes:
    """One block: eight times the shade as its direct current, and nothing else."""
    level = shade * _EIGHT
    size = level.bit_length()
    bits = f"{size:04b}{level:0{size}b}0"
    padded = bits + "1" * (-len(bits) % 8)
    # a byte of all ones would be taken for a marker without the zero behind it
    return int(padded, 2).to_bytes(len(padded) // 8, "big").replace(b"\xff", b"\xff\0")
