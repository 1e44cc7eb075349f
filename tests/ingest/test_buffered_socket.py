"""Are packets handed out whole, however the network cuts them, and everything but plain messages left to paho?"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.buffered_socket import BufferedSocket, Message

PINGRESP = b"\xd0\x00"


def publish(topic: str, packet: int, payload: bytes, properties: bytes = b"", first: int = 0x32) -> bytes:
    """Make a PUBLISH packet."""
    body = struct.pack("!H", len(topic.encode())) + topic.encode() + struct.pack("!H", packet)
    body += bytes([len(properties)]) + properties + payload
    size, length = len(body), b""
    while True:
        size, digit = divmod(size, 128)
        length += bytes([digit | (128 if size else 0)])
        if not size:
            return bytes([first]) + length + body


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, BufferedSocket]]:
    far, near = socket.socketpair()
    near.setblocking(False)
    yield far, BufferedSocket(near)
    far.close()
    near.close()


def read_packet(wire: BufferedSocket) -> bytes:
    """Read what paho is let at, a byte at a time as paho does."""
    found = b""
    while True:
        try:
            found += wire.recv(1)
        except BlockingIOError:
            return found


@given(
    st.lists(st.tuples(st.text(max_size=20), st.integers(1, 65_535), st.binary(max_size=400)), max_size=8),
    st.integers(1, 50),
)
def test_messages_come_out_as_they_went_in(sent: list[tuple[str, int, bytes]], cut: int) -> None:
    far, near = socket.socketpair()
    near.setblocking(False)
    wire, found = BufferedSocket(near), []
    data = b"".join(publish(*message) for message in sent)
    with far, near:
        for start in range(0, len(data), cut):
            far.sendall(data[start : start + cut])
            wire.fill()
            while message := wire.next_message():
                found.append(message)
        assert not wire.has_packet()
    assert found == [Message(*message) for message in sent]


def test_other_packets_are_left_to_paho_one_at_a_time(ends: tuple[socket.socket, BufferedSocket]) -> None:
    far, wire = ends
    with_property = publish("a", 7, b"x", properties=b"\x08\x00\x01r")
    far.sendall(PINGRESP + with_property + publish("b", 8, b"y") + b"\x32")
    wire.fill()
    assert wire.next_message() is None
    assert wire.has_packet()
    assert read_packet(wire) == PINGRESP
    assert wire.next_message() is None
    assert wire.has_packet()
    assert read_packet(wire) == with_property
    assert wire.next_message() == Message("b", 8, b"y")
    assert not wire.has_packet()
    assert read_packet(wire) == b""


@pytest.mark.parametrize("first", [0x3A, 0x33])
def test_repeats_and_retained_messages_are_messages(ends: tuple[socket.socket, BufferedSocket], first: int) -> None:
    far, wire = ends
    far.sendall(publish("a", 7, b"x", first=first))
    wire.fill()
    assert wire.next_message() == Message("a", 7, b"x")


BROKEN = [
    b"\x32\x02\x00\x00",
    b"\x32\x05\xff\xff\x00\x01\x00",
    publish("a", 1, b"").replace(b"a", b"\xff"),
    b"\x32" + b"\xff" * 5,
]


@pytest.mark.parametrize("broken", BROKEN)
def test_what_is_malformed_is_left_to_paho(ends: tuple[socket.socket, BufferedSocket], broken: bytes) -> None:
    far, wire = ends
    far.sendall(broken)
    wire.fill()
    assert wire.next_message() is None
    assert wire.has_packet()


def test_the_end_of_the_connection_reaches_paho(ends: tuple[socket.socket, BufferedSocket]) -> None:
    far, wire = ends
    far.close()
    wire.fill()
    assert wire.has_packet()
    assert wire.recv(1) == b""


def test_what_is_confirmed_is_sent_together(ends: tuple[socket.socket, BufferedSocket]) -> None:
    far, wire = ends
    wire.confirm(1)
    wire.confirm(0xFFFE)
    wire.send(b"\xc0\x00")
    assert wire.flush() is False
    assert far.recv(100) == b"\x40\x02\x00\x01\x40\x02\xff\xfe\xc0\x00"
