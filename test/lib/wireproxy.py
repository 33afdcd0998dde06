#!/usr/bin/env python3
"""A TCP proxy in front of a PostgreSQL server, for tests of bad links and of
bad servers.

    wireproxy.py LISTEN_PORT SERVER_HOST:SERVER_PORT CONTROL_SOCKET [--corpus DIR]

It forwards loopback connections and obeys one command per connection to the
unix socket CONTROL_SOCKET; the answer is one line that begins with "ok" or
"error".

The link:
    latency MS              delay every piece in both directions
    rate BYTES              pass so many bytes a second in each direction
    blackhole on|off|up|down    keep the sockets, move nothing: both ways, or
                            only to the server (up) or from it (down)
    deny on|off             refuse new connections
    reset                   end all connections now with a RST
    close                   end all connections now with a FIN
    cut_after BYTES         RST after so many more bytes from the server

The server (unencrypted connections only; TLS passes as it is):
    change KIND [LETTER [N]]    rewrite the N-th next replication message of
                            type LETTER (* = any), once; see stream_changes
    change_value COLUMN HEX    other bytes for a column (0 = the first) of the
                            next INSERT
    change_copy KIND        the same for the next row, or the end, of a COPY out
    inject KIND WHERE [COUNT]    so many messages of another kind before the next
                            one of the stream, or before the next result of a
                            statement (WHERE: stream, sql); see injections
    parameter NAME VALUE    the server reports this value at the start of sessions
    repeat on|off           on: a change fires every time, not once

    clear                   back to plain forwarding
    status                  connections, what fired, messages seen by type
    quit

With --corpus every replication message that passes is written to a file in
DIR: seeds for a fuzzer.
"""
import argparse
import asyncio
import os
import random
import struct
import sys

# A frame of the replication stream is CopyData ('d') with 'w', three int64
# (start, end, send time) and then one message of the logical protocol.
XLOGDATA_HEADER = 25
CORPUS_LIMIT = 5000


class Link:
    """Faults of the network; applies to all connections."""

    def __init__(self):
        self.clear()

    def clear(self):
        self.latency = 0.0  # seconds
        self.rate = 0  # bytes per second, 0 = unlimited
        self.blackhole = set()  # of "up", "down"
        self.deny = False
        self.cut_after = None  # bytes from the server still to pass

    async def pace(self, direction, length):
        """Waits as long as a piece of this length takes."""
        if self.latency:
            await asyncio.sleep(self.latency)
        if self.rate:
            await asyncio.sleep(length / self.rate)
        while direction in self.blackhole:
            await asyncio.sleep(0.02)


# ---- rewriting messages ------------------------------------------------------


def flip_bits(data, random_source, bits=3):
    """The data with a few bits turned over."""
    data = bytearray(data)
    for _ in range(min(bits, len(data))):
        data[random_source.randrange(len(data))] ^= 1 << random_source.randrange(8)
    return bytes(data)


def first_column(message):
    """Offset of the kind letter of the first column of I, U or D (protocol 1,
    first tuple), or None.  The column count stands in the two bytes before."""
    return 8 if message[:1] in (b"I", b"U", b"D") and len(message) >= 13 else None


def stream_changes(kind, header, message, random_source):
    """What is sent instead of one message: a list of CopyData payloads.

    header is the XLogData header, kind one of the names below; an unsuitable
    message is passed on as it is.
    """

    def payload(changed):
        return header + changed

    letter = message[:1]
    any_message = {
        "truncate": lambda: [payload(message[: max(1, len(message) // 2)])],
        "grow": lambda: [payload(message + b"\xff" * 64)],
        "flip": lambda: [payload(flip_bits(message, random_source))],
        "empty": lambda: [payload(b"")],
        "unknown_letter": lambda: [payload(b"?" + message[1:])],
        "twice": lambda: [payload(message), payload(message)],
        "drop": lambda: [],
        "relation_id": lambda: [payload(letter + b"\x7f\xff\xff\xfe" + message[5:])],
        "zero_lsn": lambda: [header[:1] + b"\0" * 16 + header[17:] + message],
        "future_keepalive": lambda: [
            b"k" + struct.pack("!QqB", 0x7FFFFFFF00000000, 0, 1),
            payload(message),
        ],
        "short_frame": lambda: [header[:9]],
        "backward_lsn": lambda: [header[:1] + struct.pack("!Q", 1) + header[9:] + message],
        "many_relations": lambda: [payload(r) for r in relations(100_000)] + [payload(message)],
    }
    if kind in any_message:
        return any_message[kind]()

    at = first_column(message)
    if at is not None:
        (length,) = struct.unpack("!I", message[at + 1 : at + 5])
        value = at + 5
        column = {
            "column_count": lambda: message[: at - 2] + b"\xff\xff" + message[at:],
            "huge_column": lambda: message[: at + 1] + b"\x7f\xff\xff\xff" + message[value:],
            "negative_length": lambda: message[: at + 1] + b"\xff\xff\xff\xff" + message[value:],
            "unchanged": lambda: message[:at] + b"u" + message[value + length :],
            "bad_utf8": lambda: message[:value]
            + b"\xc3\x28\xff\xfe"[:length].ljust(length, b"\xff")
            + message[value + length :],
        }
        if kind in column:
            return [payload(column[kind]())]

    if letter == b"R":
        # relation id, then schema and name, each ended by a zero byte
        name_end = message.index(b"\0", message.index(b"\0", 5) + 1) + 1
        names = {
            "sql_name": b'public\0t"; DROP TABLE t; --\0',
            "long_name": b"public\0" + b"n" * 5000 + b"\0",
            "empty_name": b"\0\0",
        }
        if kind in names:
            return [payload(message[:5] + names[kind] + message[name_end:])]
    return [payload(message)]


def relations(count):
    """RELATION messages of tables that nobody follows."""
    for number in range(count):
        yield b"R" + struct.pack("!I", 0x70000000 + number) + b"public\0other\0d\0\1" + struct.pack(
            "!B2sIi", 0, b"a\0", 23, -1
        )


def replace_value(message, column, value):
    """An INSERT with other bytes in one column, whose kind stays."""
    at = 8
    for _ in range(column):
        at += 1 if message[at : at + 1] in (b"n", b"u") else 5 + struct.unpack_from("!I", message, at + 1)[0]
    (length,) = struct.unpack_from("!I", message, at + 1)
    return message[: at + 1] + struct.pack("!I", len(value)) + value + message[at + 5 + length :]


# ---- messages that nobody asked for ---------------------------------------------


def server_message(kind, body):
    return kind + struct.pack("!I", len(body) + 4) + body


def error_fields(text, severity=b"ERROR"):
    return b"S" + severity + b"\0V" + severity + b"\0CXX000\0M" + text + b"\0\0"


EMPTY_RESULT = server_message(b"T", b"\0\1" + b"a\0" + struct.pack("!IhIhih", 0, 0, 25, -1, -1, 0))
INJECTIONS = {
    "notice": server_message(b"N", error_fields(b"hear, hear", b"NOTICE")),
    "notification": server_message(b"A", struct.pack("!I", 1) + b"channel\0payload\0"),
    "parameter": server_message(b"S", b"application_name\0somebody else\0"),
    "encoding": server_message(b"S", b"client_encoding\0LATIN1\0"),
    "error": server_message(b"E", error_fields(b"\x07bell " + b"long " * 200_000)),
    "result": EMPTY_RESULT + server_message(b"C", b"SELECT 0\0"),
}


COPY_END_CHANGES = ("error_after", "no_complete", "other_count")
COPY_CHANGES = {
    "truncate": lambda row, _: [row[: len(row) // 2]],
    "grow": lambda row, _: [row.rstrip(b"\n") + b"\tx\n"],
    "flip": lambda row, random_source: [flip_bits(row, random_source)],
    "drop": lambda row, _: [],
    "twice": lambda row, _: [row, row],
    "fewer": lambda row, _: [row[: row.rindex(b"\t")] + b"\n"],
    "end_marker": lambda row, _: [b"\\.\n", row],
    "nul": lambda row, _: [row[:1] + b"\0" + row[1:]],
}
HUGE_LENGTH = 0x7FFFFFF0  # an announced frame of 2 GB


class Rewriter:
    """Changes what the server says; one for all connections."""

    def __init__(self, corpus):
        self.corpus = corpus
        self.recorded = 0
        self.random = random.Random(int(os.environ.get("MZI_SEED", "1")))
        self.seen = {}  # messages by letter
        self.clear()

    def clear(self):
        self.repeat = False
        self.armed = None  # [kind, letter, how many until it fires]
        self.armed_copy = None  # kind
        self.injection = None  # [bytes, stream or sql, name]
        self.parameters = {}  # reported at the start of sessions
        self.value = None  # (column, bytes) for change "value"
        self.held = b""  # a message that waits to change places with the next
        self.fired = []

    def arm(self, kind, letter="*", nth=1):
        self.armed = [kind, letter, int(nth)]

    def message(self, kind, body):
        """One message of the server (type letter, body without length): the
        bytes to send on."""
        raw = server_message(kind, body)
        if kind == b"S" and self.parameters:
            return self.report_parameter(raw, body)
        if self.injection and self.is_place(self.injection[1], kind, body):
            injected = self.injection[0]
            self.fired.append(self.injection[2])
            if not self.repeat:
                self.injection = None
            return injected + (self.message_of_data(raw, body) if kind == b"d" else raw)
        if kind in b"cC" and self.armed_copy in COPY_END_CHANGES:
            return self.copy_end(kind, raw, body)
        return self.message_of_data(raw, body) if kind == b"d" else raw

    @staticmethod
    def is_place(where, kind, body):
        """Is this message one that something can be injected before?"""
        return kind == b"T" if where == "sql" else kind == b"d" and body[:1] == b"w"

    def message_of_data(self, raw, body):
        if body[:1] == b"w" and len(body) > XLOGDATA_HEADER:
            return self.stream_message(raw, body)
        if body[:1] == b"k" and len(body) == 18:
            self.count("k")
        elif self.armed_copy and self.armed_copy not in COPY_END_CHANGES:
            return self.copy_row(body)
        return raw

    def report_parameter(self, raw, body):
        name = body.split(b"\0")[0].decode()
        if name not in self.parameters:
            return raw
        self.fired.append(f"parameter:{name}")
        return server_message(b"S", f"{name}\0{self.parameters[name]}\0".encode())

    def copy_end(self, kind, raw, body):
        """CopyDone or CommandComplete of a COPY."""
        change = self.armed_copy
        if (kind == b"c") != (change == "error_after") or (kind == b"C" and not body.startswith(b"COPY ")):
            return raw
        self.fired.append(f"copy:{change}")
        if not self.repeat:
            self.armed_copy = None
        return {
            "error_after": server_message(b"E", error_fields(b"the disk is on fire")),
            "no_complete": b"",
            "other_count": server_message(b"C", b"COPY 999999\0"),
        }[change]

    def count(self, letter):
        self.seen[letter] = self.seen.get(letter, 0) + 1

    @staticmethod
    def frames(payloads):
        return b"".join(b"d" + struct.pack("!I", len(p) + 4) + p for p in payloads)

    def stream_message(self, raw, body):
        header, message = body[:XLOGDATA_HEADER], body[XLOGDATA_HEADER:]
        letter = message[:1].decode("latin1")
        self.count(letter)
        self.record(letter, message)
        if self.armed and self.armed[1] in ("*", letter):
            self.armed[2] -= 1
            if self.armed[2] <= 0:
                kind = self.armed[0]
                self.fired.append(f"{kind}:{letter}")
                if self.repeat:
                    self.armed[2] = 1
                else:
                    self.armed = None
                if kind == "huge_frame":
                    return b"d" + struct.pack("!I", HUGE_LENGTH) + body
                if kind == "swap":
                    self.held = raw
                    return b""
                if kind == "value":
                    return self.frames([header + replace_value(message, *self.value)])
                return self.frames(stream_changes(kind, header, message, self.random))
        held, self.held = self.held, b""
        return raw + held

    def copy_row(self, row):
        kind = self.armed_copy
        self.fired.append(f"copy:{kind}")
        if not self.repeat:
            self.armed_copy = None
        if kind == "huge_frame":
            return b"d" + struct.pack("!I", HUGE_LENGTH) + row
        return self.frames(COPY_CHANGES[kind](row, self.random))

    def record(self, letter, message):
        if not self.corpus or self.recorded >= CORPUS_LIMIT:
            return
        self.recorded += 1
        name = letter if letter.isalnum() else "x"
        with open(f"{self.corpus}/{self.recorded:05d}_{name}", "wb") as file:
            file.write(message)


# ---- connections -------------------------------------------------------------

ENCRYPTION_REQUESTS = (
    b"\0\0\0\x08\x04\xd2\x16\x2f",  # SSLRequest
    b"\0\0\0\x08\x04\xd2\x16\x30",  # GSSENCRequest
)


class Connection:
    """One client and its connection to the server."""

    def __init__(self, proxy, client_reader, client_writer, server_reader, server_writer):
        self.proxy = proxy
        self.client_reader, self.client_writer = client_reader, client_writer
        self.server_reader, self.server_writer = server_reader, server_writer
        self.answer_expected = False  # one byte: will the link be encrypted?
        self.opaque = False  # encrypted: not looked into

    async def run(self):
        tasks = [asyncio.create_task(self.up()), asyncio.create_task(self.down())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            # results are taken: a broken link is what this program is for
            await asyncio.gather(*tasks, return_exceptions=True)
            self.end(reset=False)

    def end(self, reset):
        for writer in (self.client_writer, self.server_writer):
            if reset:
                writer.transport.abort()
            else:
                writer.close()

    async def up(self):
        """Client to server; only the request for encryption is looked at."""
        at_start = True
        while data := await self.client_reader.read(65536):
            if at_start and data[:8] in ENCRYPTION_REQUESTS:
                self.answer_expected = True
            else:
                at_start = False
            await self.proxy.link.pace("up", len(data))
            self.server_writer.write(data)
            await self.server_writer.drain()

    async def down(self):
        """Server to client, cut into messages unless encrypted."""
        link = self.proxy.link
        pending = b""
        while data := await self.server_reader.read(65536):
            await link.pace("down", len(data))
            if link.cut_after is not None:
                if len(data) >= link.cut_after:
                    self.client_writer.write(data[: link.cut_after])
                    await self.client_writer.drain()
                    link.cut_after = None
                    self.end(reset=True)
                    return
                link.cut_after -= len(data)
            if self.answer_expected:
                self.answer_expected = False
                self.client_writer.write(data[:1])
                self.opaque = data[:1] in (b"S", b"G")
                data = data[1:]
            if self.opaque:
                self.client_writer.write(data)
            else:
                pending = self.forward_messages(pending + data)
            await self.client_writer.drain()

    def forward_messages(self, data):
        """Sends on the whole messages at the head; returns the rest."""
        out = []
        at = 0
        while len(data) - at >= 5:
            (length,) = struct.unpack_from("!I", data, at + 1)
            if len(data) - at < length + 1:
                break
            out.append(self.proxy.rewriter.message(data[at : at + 1], data[at + 5 : at + length + 1]))
            at += length + 1
        self.client_writer.write(b"".join(out))
        return data[at:]


class Proxy:
    def __init__(self, host, port, corpus):
        self.host, self.port = host, port
        self.link = Link()
        self.rewriter = Rewriter(corpus)
        self.connections = set()

    async def accept(self, reader, writer):
        if self.link.deny:
            writer.transport.abort()
            return
        try:
            server = await asyncio.open_connection(self.host, self.port)
        except OSError:
            writer.transport.abort()
            return
        connection = Connection(self, reader, writer, *server)
        self.connections.add(connection)
        try:
            await connection.run()
        finally:
            self.connections.discard(connection)

    def command(self, words):
        """Obeys one command; returns the answer after "ok"."""
        name, arguments = words[0], words[1:]
        link, rewriter = self.link, self.rewriter
        if name == "latency":
            link.latency = float(arguments[0]) / 1000
        elif name == "rate":
            link.rate = int(arguments[0])
        elif name == "blackhole":
            link.blackhole = {"on": {"up", "down"}, "off": set(), "up": {"up"}, "down": {"down"}}[arguments[0]]
        elif name == "deny":
            link.deny = {"on": True, "off": False}[arguments[0]]
        elif name == "cut_after":
            link.cut_after = int(arguments[0])
        elif name in ("reset", "close"):
            ended = list(self.connections)
            for connection in ended:
                connection.end(reset=name == "reset")
            return str(len(ended))
        elif name == "change":
            rewriter.arm(*arguments)
        elif name == "change_value":
            rewriter.value = (int(arguments[0]), bytes.fromhex(arguments[1] if len(arguments) > 1 else ""))
            rewriter.arm("value", "I")
        elif name == "inject":
            if arguments[1] not in ("stream", "sql"):
                raise ValueError(f"unknown place {arguments[1]}")
            count = int(arguments[2]) if len(arguments) > 2 else 1
            rewriter.injection = [INJECTIONS[arguments[0]] * count, arguments[1], arguments[0]]
        elif name == "parameter":
            rewriter.parameters[arguments[0]] = arguments[1]
        elif name == "change_copy":
            if arguments[0] not in (*COPY_CHANGES, *COPY_END_CHANGES, "huge_frame"):
                raise ValueError(f"unknown change {arguments[0]}")
            rewriter.armed_copy = arguments[0]
        elif name == "repeat":
            rewriter.repeat = {"on": True, "off": False}[arguments[0]]
        elif name == "clear":
            link.clear()
            rewriter.clear()
        elif name == "status":
            fired = ",".join(rewriter.fired)
            seen = ",".join(f"{letter}:{count}" for letter, count in sorted(rewriter.seen.items()))
            armed = rewriter.armed or rewriter.armed_copy or ""
            return f"connections={len(self.connections)} fired={fired} seen={seen} armed={armed}"
        else:
            raise ValueError(f"unknown command {name}")
        return ""

    async def control(self, reader, writer):
        words = (await reader.readline()).decode().split()
        if words == ["quit"]:
            writer.write(b"ok\n")
            await writer.drain()
            os._exit(0)
        try:
            answer = f"ok {self.command(words)}".rstrip()
        except (ValueError, KeyError, IndexError, TypeError) as error:
            answer = f"error {error!r}"
        writer.write(answer.encode() + b"\n")
        await writer.drain()
        writer.close()


async def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("listen_port", type=int)
    parser.add_argument("server")
    parser.add_argument("control_socket")
    parser.add_argument("--corpus")
    options = parser.parse_args()
    host, port = options.server.rsplit(":", 1)
    proxy = Proxy(host, int(port), options.corpus)
    if os.path.exists(options.control_socket):
        os.unlink(options.control_socket)
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", options.listen_port)
    await asyncio.start_unix_server(proxy.control, options.control_socket)
    print(f"wireproxy: 127.0.0.1:{options.listen_port} to {options.server}", flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        sys.exit(130)
