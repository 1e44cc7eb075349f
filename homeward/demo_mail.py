"""Where do the demonstration's mails go? Into a folder: a mail server on this machine that delivers to nobody.

It takes what a notifier hands in, so that the demonstration's nurse is told as one would be, and a mail can be read. It
speaks as much SMTP (RFC 5321) as that needs and listens on this machine only; nothing but `homeward demo` starts it.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from pathlib import Path

HOST = "127.0.0.1"
MOST_KEPT = 500
LARGEST = 2**20
TIMEOUT_S = 60.0
_LOOK_S = 0.2
_GREETING, _BYE, _FINE, _GO_ON = "220 Homeward's demonstration", "221 Goodbye", "250 OK", "354 Go on"
_TOO_LARGE, _UNKNOWN = "552 Too large", "502 Not known here"


def run(port: int, folder: Path, stop: threading.Event) -> None:
    """Take mails until told to stop."""
    folder.mkdir(parents=True, exist_ok=True)
    asyncio.run(_serve(port, folder, stop))


async def _serve(port: int, folder: Path, stop: threading.Event) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, TimeoutError, ValueError):
            await _Dialogue(reader, writer, folder).hold()
        writer.close()

    server = await asyncio.start_server(talk, HOST, port, limit=LARGEST)
    async with server:
        while not stop.is_set():
            await asyncio.sleep(_LOOK_S)


class _Dialogue:
    """One client's."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, folder: Path) -> None:
        self._reader, self._writer, self._folder = reader, writer, folder

    async def hold(self) -> None:
        """Answer until the client leaves."""
        await self._say(_GREETING)
        while line := await self._line():
            word = line[:4].strip().upper()
            if word == b"DATA":
                await self._say(_GO_ON)
                mail = await self._mail()
                await self._say(_FINE if await asyncio.to_thread(self._keep, mail) else _TOO_LARGE)
            elif word == b"QUIT":
                await self._say(_BYE)
                return
            else:
                await self._say(_FINE if word in (b"HELO", b"EHLO", b"MAIL", b"RCPT", b"RSET", b"NOOP") else _UNKNOWN)

    async def _line(self) -> bytes:
        return await asyncio.wait_for(self._reader.readline(), TIMEOUT_S)

    async def _say(self, words: str) -> None:
        self._writer.write(f"{words}\r\n".encode())
        await self._writer.drain()

    async def _mail(self) -> bytes:
        """Read up to the line with a single dot; a line of the mail that begins with one has another before it."""
        lines, size = [], 0
        while (line := await self._line()) not in (b".\r\n", b".\n", b""):
            size += len(line)
            if size <= LARGEST:
                lines.append(line[1:] if line.startswith(b".") else line)
        return b"".join(lines) if size <= LARGEST else b""

    def _keep(self, mail: bytes) -> bool:
        if not mail:
            return False
        draft = self._folder / f"{time.time_ns()}.part"
        draft.write_bytes(mail)
        draft.rename(draft.with_suffix(".eml"))
        # names are instants, so the oldest come first
        for old in sorted(self._folder.glob("*.eml"))[:-MOST_KEPT]:
            old.unlink(missing_ok=True)
        return True
