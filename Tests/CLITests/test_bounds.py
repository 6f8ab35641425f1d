# SPDX-License-Identifier: MIT
"""Inputs of many gigabytes, and of very many parts: all of it is read, in little memory."""

import hashlib
import shutil
import struct
import subprocess
import sys
import zlib

from support import TIMEOUT, WPOOL, Case, environment

GIB = 1 << 30
#: 256 bytes, so that powers of two hold whole records.
RECORD = b"@read\n" + b"ACGT" * 30 + b"A\n+\n" + b"F" * 121 + b"\n"
RECORD = RECORD[:5] + b"x" * (256 - len(RECORD)) + RECORD[5:]
PIECE = RECORD * (GIB // 1024 // len(RECORD))
#: Programs with two workers take less: README.
MOST = 100 << 20
#: Runs a command and prints the most KiB it had. A process counts what its parent had when it was forked, so
#: the parent has to be small.
MEASURE = """
import os, sys
child = os.spawnv(os.P_NOWAIT, sys.argv[1], sys.argv[1:])
_, status, usage = os.wait4(child, 0)
print(usage.ru_maxrss, file=sys.stderr)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def shifted(crc, zeros):
    """The CRC-32 register after so many zero bytes more (the operator of zlib's crc32_combine)."""
    def times(matrix, vector):
        product, row = 0, 0
        while vector:
            if vector & 1:
                product ^= matrix[row]
            vector >>= 1
            row += 1
        return product
    step = [0xedb88320] + [1 << n for n in range(31)]
    for _ in range(3):
        step = [times(step, row) for row in step]
    while zeros:
        if zeros & 1:
            crc = times(step, crc)
        step = [times(step, row) for row in step]
        zeros >>= 1
    return crc


def write_member(path, piece, count, wrong=0):
    """One gzip member of `count` times `piece` (RFC 1951: behind a full flush nothing refers to what came before)."""
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    packed = packer.compress(piece) + packer.flush(zlib.Z_FULL_FLUSH)
    crc, part, size = 0, zlib.crc32(piece), len(piece)
    for bit in range(count.bit_length()):
        if count >> bit & 1:
            crc = shifted(crc, size) ^ part
        part, size = shifted(part, size) ^ part, 2 * size
    with open(path, "wb") as file:
        file.write(b"\x1f\x8b\x08\0\0\0\0\0\0\xff")
        for _ in range(count):
            file.write(packed)
        file.write(b"\x03\0" + struct.pack("<II", crc, (count * len(piece) + wrong) & 0xffffffff))
    return path


class Bounds(Case):
    def run_bounded(self, *args, consume=None):
        """Succeeds within MOST bytes of memory; what `consume` made of the output's pieces."""
        process = subprocess.Popen(
            [sys.executable, "-c", MEASURE, WPOOL, *map(str, args)], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
        while piece := process.stdout.read(1 << 16):
            consume(piece)
        _, said = process.communicate()
        self.assertEqual(process.returncode, 0, (args, said))
        self.assertLess(int(said) << 10, MOST, args)

    def count(self, path):
        out = []
        self.run_bounded("count", "-j", 2, path, consume=out.append)
        return b"".join(out).decode().split()

    def test_a_member_of_five_gigabytes(self):
        path = write_member(self.path("a.gz"), PIECE, 5 * 1024)
        self.assertIn(str(5 * GIB // len(RECORD)), self.count(path))
        write_member(path, PIECE, 5 * 1024, wrong=1)
        self.fails(1, "decompress", "-t", path, says=[path, "member 1", "ISIZE"])

    def test_a_frame_and_many_frames_of_five_gigabytes(self):
        if not shutil.which("zstd"):
            self.skipTest("needs zstd")
        frame = subprocess.run(["zstd", "-1", "-c"], input=PIECE, stdout=subprocess.PIPE, check=True).stdout
        path = self.write("a.zst", frame * (5 * 1024))
        self.assertIn(str(5 * GIB // len(RECORD)), self.count(path))
        with open(path, "wb") as file:
            packer = subprocess.Popen(["zstd", "-1", "-c"], stdin=subprocess.PIPE, stdout=file)
            for _ in range(5 * 1024):
                packer.stdin.write(PIECE)
            packer.stdin.close()
            self.assertEqual(packer.wait(), 0)
        self.assertIn(str(5 * GIB // len(RECORD)), self.count(path))

    def test_a_consumer_that_is_slower_than_the_workers(self):
        path = write_member(self.path("a.gz"), PIECE, 1024)
        blocks = self.path("b.gz")
        self.ok("compress", "-q", "-1", "-o", blocks, self.write("text", PIECE * 256))
        for path, count in [(path, 1024), (blocks, 256)]:
            found, wanted = hashlib.sha256(), hashlib.sha256()
            self.run_bounded("cat", "-j", 2, path, consume=found.update)
            for _ in range(count):
                wanted.update(PIECE)
            self.assertEqual(found.digest(), wanted.digest())

    def test_a_hundred_thousand_members_blocks_and_frames(self):
        count = 100_000
        member = zlib.compressobj(6, zlib.DEFLATED, 31)
        member = member.compress(b"x") + member.flush()
        body = zlib.compressobj(6, zlib.DEFLATED, -15)
        body = body.compress(b"x") + body.flush()
        block = (b"\x1f\x8b\x08\x04\0\0\0\0\0\xff\x06\0BC\x02\0" + struct.pack("<H", len(body) + 25) + body
                 + struct.pack("<II", zlib.crc32(b"x"), 1))
        # A frame of one raw block (RFC 8878).
        frame = b"\x28\xb5\x2f\xfd\x20\x01" + struct.pack("<I", 1 << 3 | 1)[:3] + b"x"
        for name, part in [("members.gz", member), ("blocks.gz", block), ("frames.zst", frame)]:
            path = self.write(name, part * count)
            for jobs in (1, 2):
                ended = self.wpool("cat", "-q", "-j", jobs, path)
                self.assertEqual((ended.code, ended.out, ended.err), (0, b"x" * count, ""), (name, jobs))
            self.fails(1, "cat", self.write(name, part * count + b"x"), says=[name, f"byte {len(part) * count}"])
