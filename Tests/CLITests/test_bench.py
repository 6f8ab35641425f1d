# SPDX-License-Identifier: MIT
"""`wpool bench`: what it tells, that it leaves nothing behind, and what it refuses."""

import json
import os
import re

from support import Case, environment, fastq, reads

RECORDS = reads(300, seed=5, longest=60, letters="ACGTN")
# No other program is measured.
ALONE = {"PATH": "/nonexistent"}


class Bench(Case):
    def setUp(self):
        super().setUp()
        self.write("in.fq", fastq(RECORDS))

    def rows(self, *args, **settings):
        found = json.loads(self.ok("bench", "--json", "--repeat", "2", *args, env=environment(**{**ALONE, **settings})))
        return found, [(row["program"], row["workers"]) for row in found["rows"]]

    def test_each_number_of_workers_has_a_row_of_all_rounds(self):
        found, rows = self.rows("-j", "1,3", "in.fq")
        self.assertEqual(rows, [("wpool", 1), ("wpool", 3)])
        self.assertEqual((found["reads"], found["bytes"]), (300, len(fastq(RECORDS))))
        for row in found["rows"]:
            self.assertEqual((len(row["wall_seconds"]), len(row["cpu_seconds"])), (2, 2))
            self.assertGreater(min(row["wall_seconds"]), 0)
        first, second = found["rows"]
        walls = [sum(row["wall_seconds"]) / 2 for row in (first, second)]
        self.assertEqual(first["efficiency"], 1)
        self.assertAlmostEqual(second["efficiency"], walls[0] / walls[1] / 3)
        self.assertIn("write", [stage["name"] for stage in found["stages"]])

    def test_the_table_is_for_people(self):
        text = self.ok("bench", "in.fq", "-j", "2", "--repeat", "1", env=environment(**ALONE)).decode()
        self.assertTrue(text.startswith("300 reads, "), text)
        self.assertRegex(text, r"\nwpool +2 .* s +1\.00\n")
        self.assertIn("the bottleneck", text)
        self.assertIn("seqkit does the same work and is not there\n", text)

    def test_nothing_is_written(self):
        self.write("c.toml", b"""
            [input]
            r = 'in.fq'
            [[step]]
            action = 'CalcLength'
            out_label = 'n'
            [[step]]
            action = 'StoreTagsInTable'
            infix = 'table'
            [[step]]
            action = 'Report'
            name = 'r'
            [output]
            prefix = 'out'
            compression = 'gzip'
            output_hash_compressed = true
            chunksize = 7
            report_json = true
            report_html = true
            report_timing = true
            """)
        before = self.names()
        found, rows = self.rows("c.toml", "-j", "2")
        self.assertEqual((found["reads"], rows), (300, [("wpool", 2)]))
        self.rows("in.fq", "-j", "1", "-o", "out.fq.gz", "--bgzf-index")
        self.assertEqual(self.names(), before)

    def test_others_that_do_the_same_are_measured(self):
        tool = self.path("seqkit")
        self.write("seqkit", b"#!/bin/sh\necho \"$@\" >> calls; exec cat in.fq\n")
        os.chmod(tool, 0o755)
        path = {"PATH": str(self.folder) + ":/usr/bin:/bin"}
        found, rows = self.rows("in.fq", "-j", "1,2", **path)
        self.assertEqual(rows, [("wpool", 1), ("seqkit", 1), ("wpool", 2), ("seqkit", 2)])
        self.assertEqual(found["missing_peers"], [])
        self.assertEqual((self.folder / "calls").read_text(), "seq -j 1 in.fq\nseq -j 2 in.fq\n" * 2)
        # With steps it does something else.
        _, rows = self.rows("in.fq", "-j", "1", "--step", "Head n=5", **path)
        self.assertEqual(rows, [("wpool", 1)])
        self.write("seqkit", b"#!/bin/sh\nexit 7\n")
        self.fails(1, "bench", "in.fq", "-j", "1", env=environment(**path), says="seqkit ended with code 7")

    def test_what_makes_no_sense_is_refused(self):
        for args, says in (
                ([], "no input"), (["in.fq", "--stats"], "--stats is for wpool process"),
                (["in.fq", "--timeline", "t.json"], "--timeline"), (["in.fq", "--serial"], "--serial"),
                (["in.fq", "-n"], "--dry-run"), (["-"], "standard input: is read again and again"),
                (["/dev/null"], "/dev/null: is read again"), (["in.fq", "-j", "0"], "-j"),
                (["in.fq", "--repeat", "0"], "--repeat"), (["in.fq", "--step", "Nothing"], "Nothing")):
            self.fails(2, "bench", *args, says=says)
        self.fails(1, "bench", "none.fq", says="none.fq: cannot open")

    def test_a_failing_run_ends_it(self):
        self.write("bad.fq", fastq(RECORDS)[:-5])
        ended = self.fails(1, "bench", "bad.fq", "-j", "1", "--repeat", "1", env=environment(**ALONE))
        self.assertTrue(re.match(r"wpool: bad\.fq: .*300", ended.err), ended)
