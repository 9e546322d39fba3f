"""Frames as no library sends them: reserved bits, lengths that lie, compressed messages cut anywhere, a million of them at once."""

import os
import struct
import zlib

import raw

CONTINUATION = 0
RSV1, RSV2, RSV3 = 0x40, 0x20, 0x10
COMPRESSED = RSV1
OFFER = "permessage-deflate; client_max_window_bits"
TAIL = b"\x00\x00\xff\xff"  # what the sender of a compressed message leaves away, RFC 7692 section 7.2.1


def masked(payload, key):
    """All at once as one long number: a loop over a MiB takes too long."""
    stream = (key * (len(payload) // 4 + 1))[:len(payload)]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(stream, "big")).to_bytes(len(payload), "big")


def head(opcode, length, final=True, reserved=0):
    """The header of a client's frame, which may promise any length; its mask follows."""
    first = opcode | reserved | (0x80 if final else 0)
    if length < 126:
        return struct.pack("!BB", first, 0x80 | length)
    if length < 65536:
        return struct.pack("!BBH", first, 0x80 | 126, length)
    return struct.pack("!BBQ", first, 0x80 | 127, length)


def frame(opcode, payload=b"", final=True, reserved=0):
    key = os.urandom(4)
    return head(opcode, len(payload), final, reserved) + key + masked(payload, key)


def single_bytes(opcode, payload, reserved=0):
    """A message whose frames have one byte each."""
    if len(payload) < 2:
        return frame(opcode, payload, reserved=reserved)
    middle = []
    for byte in range(256):
        key = os.urandom(4)
        middle.append(head(CONTINUATION, 1, final=False) + key + bytes([byte ^ key[0]]))
    return b"".join((frame(opcode, payload[:1], final=False, reserved=reserved), *(middle[byte] for byte in payload[1:-1]),
                     frame(CONTINUATION, payload[-1:])))


def in_pieces(opcode, payload, size, reserved=0):
    """A message whose frames have that many bytes each, except the last."""
    frames = []
    for begin in range(0, len(payload), size):
        frames.append(frame(CONTINUATION if frames else opcode, payload[begin:begin + size], begin + size >= len(payload),
                            0 if frames else reserved))
    return b"".join(frames)


def deflated(message, window_bits=12):
    """The payload of a compressed message."""
    stream = zlib.compressobj(wbits=-window_bits)
    data = stream.compress(message) + stream.flush(zlib.Z_SYNC_FLUSH)
    return data[:-len(TAIL)]


def opened(to, offer=None, protocol="echo"):
    """A connection that has become a WebSocket, with compression if that was offered."""
    return raw.opened(to, protocol, Peer, Sec_WebSocket_Extensions=offer)


class Peer(raw.Connection):
    """Reads messages. `extensions` is what the server agreed on, `compressed` whether it compressed the last message."""

    extensions = ""
    compressed = False
    inflater = None

    def message(self):
        """Opcode and payload of the next message, or of a control frame that comes before it is complete."""
        kind, payload = None, []
        while True:
            reserved = self.first_byte() & 0x70
            opcode, data, final = self.frame()
            if opcode >= raw.CLOSE:
                return opcode, data
            if kind is None:
                kind, self.compressed = opcode, reserved == COMPRESSED
            payload.append(data)
            if final:
                whole = b"".join(payload)
                return kind, self.inflated(whole) if self.compressed else whole

    def first_byte(self):
        first = self.take(1)
        self.buffer = first + self.buffer
        return first[0]

    def inflated(self, data):
        if self.inflater is None or "server_no_context_takeover" in self.extensions:
            self.inflater = zlib.decompressobj(wbits=-15)
        return self.inflater.decompress(data + TAIL)

    def close_code(self):
        """The code with which the server closes, at once and for good; messages before are skipped."""
        opcode, payload = self.message()
        while opcode != raw.CLOSE:
            opcode, payload = self.message()
        self.send(frame(raw.CLOSE, payload[:2]))
        if not self.ended():
            raise AssertionError("the server sent more or kept the connection")
        return int.from_bytes(payload[:2], "big")
