# SPDX-License-Identifier: MIT
import gzip
import json
import os
import signal
import threading
import unittest

import workpool
from support import Case
from workpool import Recipe, Step


def reads(count, mate=1):
    """Of 5, 10, 15, 20, 25, 5, ... bases."""
    return b"".join(
        b"@read%d/%d\n%s\n+\n%s\n" % (n, mate, b"ACGTN" * (n % 5 + 1), b"IIII#" * (n % 5 + 1))
        for n in range(count))


class Steps(unittest.TestCase):
    def test_the_catalogue_lists_names_texts_and_keys(self):
        steps = {step.name: step for step in workpool.steps()}
        self.assertGreaterEqual(len(steps), 18)
        self.assertIn("n: integer", steps["CutStart"].keys)
        self.assertTrue(all(step.summary for step in steps.values()))

    def test_a_step_is_written_as_on_the_command_line(self):
        for step, text in (
            (Step("CutStart", n=5, segment="read1"), 'CutStart n=5 segment="read1"'),
            (Step("FilterSample", p=0.5, seed=1), "FilterSample p=0.5 seed=1"),
            (Step("ConvertQuality", from_="solexa"), 'ConvertQuality from="solexa"'),
            (Step("Any", flag=True, list=["a b", 'c"d']), 'Any flag=true list=["a b", "c\\"d"]'),
        ):
            self.assertEqual(str(step), text)
        with self.assertRaisesRegex(TypeError, "the value of a key"):
            str(Step("Any", key=None))

    def test_a_value_reaches_the_library_as_it_is(self):
        Recipe(1, [Step("Lowercase", target="name:read1")])
        for value in ('a"b', "5", "true", "[1]", "a b", "é"):
            with self.assertRaises(workpool.InvalidArgument) as caught:
                Recipe(1, [Step("Lowercase", target=value)])
            self.assertIn(value, str(caught.exception).replace("\\", ""))


class Prefixes(Case):
    def test_barcodes_files_of_steps_and_reports(self):
        source = self.write("in.fq", reads(50))
        prefix = self.folder / "out"
        recipe = Recipe(
            steps=[
                Step("ExtractRegions", out_label="code",
                     regions=[{"source": "read1", "start": 4, "length": 1, "anchor": "start"}]),
                Step("CalcLength", segment="read1", out_label="n"),
                Step("FilterByNumericTag", in_label="n", min_value=7.5, keep_or_remove="keep"),
                Step("Demultiplex", in_label="code", barcodes="b", output_unmatched=False),
                Step("StoreTagsInTable", infix="t", in_labels=["n"]),
                Step("Report", name="all", count=True),
            ],
            barcodes={"b": {"N": "any"}}, prefix=prefix)
        report = recipe.run(self.pool, source, compression="gzip")
        self.assertEqual((report.reads_in, report.reads_out), (50, 40))
        made = gzip.decompress((self.folder / "out_any_read1.fq.gz").read_bytes())
        self.assertEqual(made, b"".join(
            block + b"\n" for block in reads(50).replace(b"\n@", b"\n\0@").split(b"\0")
            for block in [block.rstrip(b"\n")] if len(block.split(b"\n")[1]) > 7))
        self.assertEqual(len((self.folder / "out_t_any.tsv").read_text().splitlines()), 41)
        self.assertEqual(json.loads((self.folder / "out.json").read_text())["all"]["any"]["molecule_count"], 40)

    def test_what_needs_a_prefix_or_barcodes_says_so(self):
        for steps, barcodes, text in (
            ([Step("Report", name="a")], None, "Report"),
            ([Step("CalcLength", segment="read1", out_label="n"), Step("StoreTagsInTable")], None, "StoreTagsInTable"),
            ([], {"b": {"X": "s"}}, "barcodes b: X"),
            ([], {"b": {"A": "s", "AC": "t"}}, "barcodes b: AC"),
        ):
            with self.assertRaises(workpool.InvalidArgument) as caught:
                Recipe(steps=steps, barcodes=barcodes)
            self.assertIn(text, str(caught.exception))
        with self.assertRaises(workpool.InvalidArgument):
            Recipe(prefix="")
        source = self.write("in.fq", reads(5))
        with self.assertRaisesRegex(workpool.InvalidArgument, "one output"):
            Recipe(steps=["Head n=1"]).run(self.pool, source)


class Recipes(Case):
    def run_recipe(self, steps, *contents, **options):
        inputs = [self.write(f"in{i}.fq.gz", gzip.compress(c)) for i, c in enumerate(contents)]
        outputs = [self.folder / f"out{i}.fq" for i in range(len(contents))]
        recipe = Recipe(len(contents), steps)
        report = recipe.run(self.pool, inputs, outputs, overwrite=True, **options)
        return report, [path.read_bytes() for path in outputs]

    def test_steps_change_and_filter_reads(self):
        report, (out,) = self.run_recipe(
            ["Head n=3", Step("CutStart", n=1, segment="read1")], reads(100))
        self.assertEqual(out.split(b"\n")[:4], [b"@read0/1", b"CGTN", b"+", b"III#"])
        self.assertEqual((report.status, report.reads_out, report.bases_out),
                         ("stopped", 3, 4 + 9 + 14))

    def test_pairs_are_kept_in_step(self):
        steps = [Step("CalcLength", segment="read1", out_label="length"),
                 Step("FilterByNumericTag", in_label="length", min_value=20, keep_or_remove="keep")]
        report, outs = self.run_recipe(steps, reads(50, 1), reads(50, 2), records_per_block=7)
        self.assertEqual((report.status, report.reads_in, report.reads_out), ("ok", 50, 20))
        names = [[line.split(b"/")[0] for line in out.split(b"\n")[::4]] for out in outs]
        self.assertEqual(names[0], names[1])

    def test_tags_go_into_names(self):
        regions = [{"source": "read1", "start": 0, "length": 2, "anchor": "start"},
                   {"source": "read1", "start": -2, "length": 2, "anchor": "end"}]
        steps = [Step("ExtractRegions", regions=regions, out_label="umi"),
                 Step("EvalExpression", expression="len_umi + read_no", result_type="numeric",
                      out_label="n"),
                 Step("StoreTagInComment", in_label="umi"), Step("StoreTagInComment", in_label="n")]
        _, (out,) = self.run_recipe(steps, b"@a x\nACGT\n+\nIIII\n@b\nC\n+\nI\n")
        self.assertEqual(out.split(b"\n")[::4], [b"@a|umi=AC_GT|n=4 x", b"@b|umi=|n=1", b""])

    def test_workers_and_the_serial_reference_agree(self):
        steps = ["FilterSample p=0.5 seed=7"]
        _, parallel = self.run_recipe(steps, reads(1000), records_per_block=10)
        _, serial = self.run_recipe(steps, reads(1000), serial=True)
        self.assertEqual(parallel, serial)

    def test_everything_wrong_is_listed(self):
        with self.assertRaises(workpool.InvalidArgument) as caught:
            Recipe(1, ["CutStart n=0 segment=read1", "NoSuchStep", "Head m=5"])
        text = str(caught.exception)
        self.assertGreaterEqual(len(text.splitlines()), 3)
        for part in ("step 1 (CutStart)", "NoSuchStep", "step 3 (Head)"):
            self.assertIn(part, text)
        for segments in (0, [], ["a b"], -1):
            with self.assertRaises(workpool.InvalidArgument):
                Recipe(segments)

    def test_named_segments_and_interleaved_files(self):
        pair = b"@r%d\nACGT\n+\nIIII\n@r%d\nTTTT\n+\n####\n"
        mixed = b"".join(pair % (n, n) for n in range(10))
        path = self.write("mixed.fq", mixed)
        recipe = Recipe(["forward", "back"], ["CutStart n=2 segment=back"], interleaved=True)
        report = recipe.run(self.pool, path, [self.folder / "f.fq", self.folder / "b.fq"])
        self.assertEqual((report.reads_in, report.bases_in, report.bases_out), (10, 80, 60))
        self.assertEqual((self.folder / "b.fq").read_bytes().split(b"\n")[1], b"TT")

    def test_damaged_reads_say_where_and_leave_no_output(self):
        path = self.write("bad.fq", reads(5) + b"@bad\nACGT\n+\nIII\n")
        with self.assertRaisesRegex(workpool.MalformedRecord, r"bad\.fq: record 6 .*byte \d+"):
            Recipe(1).run(self.pool, path, self.folder / "out.fq")
        self.assertEqual(self.names(), ["bad.fq"])

    def test_an_output_that_exists_is_refused(self):
        path = self.write("in.fq", reads(5))
        with self.assertRaises(workpool.OutputExists):
            Recipe(1).run(self.pool, path, self.write("out.fq", b""))
        with self.assertRaises(workpool.IOFailed):
            Recipe(1).run(self.pool, self.folder / "nowhere", self.folder / "out2.fq")
        with self.assertRaises(workpool.InvalidArgument):
            Recipe(2).run(self.pool, path, self.folder / "out2.fq")
        with self.assertRaises(workpool.InvalidArgument):
            Recipe(1).run(self.pool, "nul\0", self.folder / "out2.fq")

    def test_progress_is_told_on_this_thread_and_at_the_end(self):
        calls = []
        report, _ = self.run_recipe(
            [], reads(1000), progress=lambda *n: calls.append((threading.get_ident(), *n)))
        self.assertEqual({ident for ident, *_ in calls}, {threading.get_ident()})
        self.assertEqual(calls[-1][1], report.reads_in)

    def endless(self):
        """A pipe that brings reads until somebody closes it."""
        ends = os.pipe()

        def write():
            try:
                while True:
                    os.write(ends[1], reads(100))
            except BrokenPipeError:
                os.close(ends[1])

        thread = threading.Thread(target=write)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(os.close, ends[0])
        return f"/dev/fd/{ends[0]}"

    def test_a_token_ends_the_run(self):
        token = workpool.Token()
        with self.assertRaises(workpool.Cancelled):
            Recipe(1).run(self.pool, self.endless(), self.folder / "out.fq", token=token,
                          progress=lambda reads, size: token.cancel())
        self.assertEqual(self.names(), [])

    def test_what_progress_raises_ends_the_run(self):
        def progress(reads, size):
            raise LookupError("enough")

        with self.assertRaisesRegex(LookupError, "enough"):
            Recipe(1).run(self.pool, self.endless(), self.folder / "out.fq", progress=progress)
        self.assertEqual(self.names(), [])

    def test_ctrl_c_ends_the_run(self):
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        self.addCleanup(signal.signal, signal.SIGINT, before)
        with self.assertRaises(KeyboardInterrupt):
            Recipe(1).run(self.pool, self.endless(), self.folder / "out.fq",
                          progress=lambda reads, size: os.kill(os.getpid(), signal.SIGINT))
        self.assertEqual(self.names(), [])


if __name__ == "__main__":
    unittest.main()
