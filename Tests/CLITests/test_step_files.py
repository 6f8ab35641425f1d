# SPDX-License-Identifier: MIT
"""Steps that read other files, write files of their own or report, each beside a few lines of Python."""

import gzip
import json
import re
from collections import Counter

from support import MODES, Case, fastq, parse, reads

RECORDS = [(n, b, q) for n, b, q in reads(200, seed=71, longest=40, letters="ACGTN")]


def complement(bases):
    return bases[::-1].translate(str.maketrans("ACGT", "TGCA"))


class StepFiles(Case):
    def setUp(self):
        super().setUp()
        self.write("in.fq", fastq(RECORDS))

    def made(self, steps, output="", *flags):
        """What a run writes, the same in all modes."""
        text = "[input]\nr = 'in.fq'\n" + steps + "[output]\nprefix = 'out'\n" + output
        self.write("c.toml", text.encode())
        found = []
        for mode in MODES:
            self.ok("process", "c.toml", "--allow-overwrite", "--block-size", "17", *flags, *mode)
            files = {p.name[4:]: p.read_bytes() for p in self.folder.iterdir() if p.name.startswith("out")}
            for content in files:
                if content.endswith("json"):
                    files[content] = {k: v for k, v in json.loads(files[content]).items() if k not in ("__", "run_info")}
            found.append(files)
        for other, mode in zip(found, MODES):
            self.assertEqual(other, found[0], mode)
        return found[0]

    def step(self, action, **keys):
        def value(one):
            if isinstance(one, list):
                return "[" + ", ".join(map(value, one)) + "]"
            if isinstance(one, dict):
                return "{" + ", ".join(f"{k} = {value(v)}" for k, v in one.items()) + "}"
            return repr(one) if isinstance(one, float) else json.dumps(one)
        return f"[[step]]\naction = '{action}'\n" + "".join(f"{k} = {value(v)}\n" for k, v in keys.items())

    def comments(self, made, label):
        """The values of a label in the names that were written."""
        return [re.search(rf"\|{label}=([^| ]*)", name)[1] for name, _, _ in parse(made["r.fq"])]


class Kmers(StepFiles):
    def counted(self, k, canonical, minimum, files):
        seen = Counter()
        for text in files:
            for _, bases, _ in parse(text):
                for i in range(len(bases) - k + 1):
                    word = bases[i:i + k].upper()
                    if set(word) <= set("ACGT"):
                        seen[word] += 1
                        if canonical:
                            seen[complement(word)] += 1
        wanted = {word for word, count in seen.items() if count >= minimum}
        return [str(sum(b[i:i + k].upper() in wanted for i in range(len(b) - k + 1))) for _, b, _ in RECORDS]

    def test_windows_of_a_read_that_are_in_other_files(self):
        others = [fastq(reads(80, seed=5, longest=60, letters="ACGTN")), fastq(reads(30, seed=6, letters="acgt"))]
        self.write("one.fq", others[0])
        self.write("two.fq.gz", gzip.compress(others[1]))
        for k, canonical, minimum in ((1, False, 1), (4, False, 3), (5, True, 2), (6, True, 1), (41, False, 1)):
            made = self.made(
                self.step("CalcKmers", filename=["one.fq", "two.fq.gz"], k=k, count_reverse_complement=canonical,
                          min_count=minimum, segment="r", out_label="k")
                + self.step("StoreTagInComment", in_label="k", segment="r"))
            self.assertEqual(self.comments(made, "k"), self.counted(k, canonical, minimum, others), (k, canonical))

    def test_a_file_that_is_not_there(self):
        self.write("c.toml", ("[input]\nr = 'in.fq'\n" + self.step(
            "CalcKmers", filename="no.fq", k=3, count_reverse_complement=False, segment="r", out_label="k")
            + self.step("ForgetTag", in_label="k") + "[output]\nprefix = 'out'\n").encode())
        self.same_failure(1, "c.toml", says="no.fq")
        self.assertEqual(self.names(), ["c.toml", "in.fq"])


class OtherFiles(StepFiles):
    def test_sequences_and_names_that_are_in_another_file(self):
        others = RECORDS[10:90:3] + reads(20, seed=8)
        # Names end at a blank here, at a slash there.
        self.write("other.fq", fastq([(n.split(" ")[0] + "/1", b, q) for n, b, q in others]))
        known = {b for _, b, _ in others}, {n.split(" ")[0] for n, _, _ in others}
        for source, values, more in (
            ("r", [b for _, b, _ in RECORDS], {}),
            ("name:r", [n.split(" ")[0] for n, _, _ in RECORDS], {"other_readname_end_character": "/"}),
        ):
            for rate in (0.0, 0.001):
                made = self.made(
                    self.step("TagOtherFile", filename="other.fq", source=source, false_positive_rate=rate, seed=3,
                              out_label="t", **more) + self.step("StoreTagInComment", in_label="t", segment="r"))
                wanted = [str(int(v in known[source != "r"])) for v in values]
                found = self.comments(made, "t")
                if rate == 0:
                    self.assertEqual(found, wanted)
                self.assertTrue(all(f == "1" for f, w in zip(found, wanted) if w == "1"))
                self.assertLess(sum(f != w for f, w in zip(found, wanted)), 5)

    def test_a_tag_that_is_in_another_file(self):
        self.write("other.fq", fastq([("x", "ACG", "III"), ("y", "TT", "II")]))
        made = self.made(
            self.step("ExtractRegion", source="r", start=0, len=2, anchor="start", out_label="a")
            + self.step("TagOtherFile", filename="other.fq", source="tag:a", false_positive_rate=0.0, seed=1, out_label="t")
            + self.step("StoreTagInComment", in_label="t", segment="r") + self.step("ForgetAllTags"))
        self.assertEqual(self.comments(made, "t"), [str(int(b[:2] == "TT")) for _, b, _ in RECORDS])

    def test_a_file_without_records(self):
        self.write("other.fq", b"")
        self.write("c.toml", ("[input]\nr = 'in.fq'\n" + self.step(
            "TagOtherFile", filename="other.fq", source="r", false_positive_rate=0.0, seed=1, out_label="t")
            + self.step("ForgetTag", in_label="t") + "[output]\nprefix = 'out'\n").encode())
        self.same_failure(1, "c.toml", says="other.fq")


class TagsAsReads(StepFiles):
    def test_what_a_tag_found_is_written_as_reads(self):
        steps = (self.step("ExtractRegex", search="C(G|T)A?", replacement="<$0>", source="r", out_label="x")
                 + self.step("CalcLength", segment="r", out_label="n"))
        for form, packing, suffix in (("fastq", "gzip", "tag.x.fq.gz"), ("fasta", "uncompressed", "tag.x.fasta")):
            made = self.made(steps + self.step("StoreTagInFastQ", in_label="x", format=form, compression=packing,
                                               comment_tags=["n"], comment_location_tags=["x"]))
            wanted = []
            for name, bases, _ in RECORDS:
                if found := re.search("C(G|T)A?", bases):
                    first, _, rest = name.partition(" ")
                    first += f"|n={len(bases)}|x_location=r:{found.start()}-{found.end()}"
                    text = f"<{found[0]}>"
                    wanted.append(f"@{first} {rest}\n{text}\n+\n{'~' * len(text)}\n" if form == "fastq"
                                  else f">{first} {rest}\n{text}\n")
            data = made[suffix]
            self.assertEqual((gzip.decompress(data) if packing == "gzip" else data).decode(), "".join(wanted))

    def test_regions_are_joined_and_missing_ones_left_out(self):
        made = self.made(
            self.step("ExtractRegions", out_label="x", regions=[
                {"source": "r", "start": 0, "length": 2, "anchor": "start"},
                {"source": "r", "start": -3, "length": 3, "anchor": "end"}])
            + self.step("StoreTagInFastQ", in_label="x", region_separator="-", comment_location_tags=[]))
        self.assertEqual([(n, b) for n, b, _ in parse(made["tag.x.fq"])],
                         [(n, b[:2] + "-" + b[-3:]) for n, b, _ in RECORDS if len(b) >= 3])


class Names(StepFiles):
    def test_names_are_changed_by_a_pattern(self):
        made = self.made(self.step("Rename", search=r"r(\d+) (?P<w>\w+)", replacement="$w:${1}_$$"))
        self.assertEqual([n for n, _, _ in parse(made["r.fq"])],
                         [re.sub(r"r(\d+) (\w+)", r"\2:\1_$", n) for n, _, _ in RECORDS])

    def test_every_match_and_the_number_of_the_read_at_this_step(self):
        made = self.made(self.step("Skip", n=7) + self.step("Rename", search="[aeiou]", replacement="<$0>")
                         + self.step("Rename", search="^", replacement="{{READ_INDEX}}."))
        self.assertEqual([n for n, _, _ in parse(made["r.fq"])],
                         [f"{i}." + re.sub("[aeiou]", r"<\g<0>>", n) for i, (n, _, _) in enumerate(RECORDS[7:])])


class Reports(StepFiles):
    def test_each_part_of_a_report(self):
        made = self.made(
            self.step("CalcLength", segment="r", out_label="n")
            + self.step("Report", name="all", base_statistics=True, length_distribution=True,
                        duplicate_count_per_read=True, duplicate_count_per_fragment=True, count_oligos=["AC", "GGT"],
                        tag_histograms=["n"]), "report_json = true\n")
        report = made["json"]["all"]
        bases = "".join(b for _, b, _ in RECORDS)
        lengths = Counter(len(b) for _, b, _ in RECORDS)
        self.assertEqual(report["molecule_count"], 200)
        self.assertEqual(report["r"]["length_distribution"], [lengths[n] for n in range(max(lengths) + 1)])
        statistics = report["r"]["base_statistics"]
        qualities = "".join(q for _, _, q in RECORDS)
        self.assertEqual(
            [statistics[k] for k in ("total_bases", "q20_bases", "q30_bases", "gc_bases")],
            [len(bases), sum(ord(q) >= 53 for q in qualities), sum(ord(q) >= 63 for q in qualities),
             bases.count("G") + bases.count("C")])
        for letter in "acgtn":
            self.assertEqual(statistics["per_position_counts"][letter],
                             [sum(b[i:i + 1] == letter.upper() for _, b, _ in RECORDS) for i in range(max(lengths))])
        curve = [sum(10 ** (-(ord(q[i]) - 33) / 10) for _, _, q in RECORDS if len(q) > i) for i in range(max(lengths))]
        for found, wanted in zip(statistics["expected_errors_from_quality_curve"], curve, strict=True):
            self.assertAlmostEqual(found, wanted, places=9)
        self.assertEqual(report["count_oligos"], {o: sum(o in b for _, b, _ in RECORDS) for o in ("AC", "GGT")})
        self.assertEqual({int(k): v for k, v in report["histogram"]["n"].items()}, dict(lengths))
        duplicates = 200 - len({b for _, b, _ in RECORDS})
        self.assertAlmostEqual(report["r"]["duplicate_count"], duplicates, delta=5)
        self.assertAlmostEqual(report["fragment_duplicate_count"], duplicates, delta=5)

    def test_behind_a_demultiplex_each_stream_has_its_own(self):
        made = self.made(
            self.step("ExtractIUPAC", search="A", segment="r", anchor="left", max_mismatches=0, out_label="a")
            + self.step("EvalExpression", expression="a", result_type="bool", out_label="b")
            + self.step("Demultiplex", in_label="b")
            + self.step("Report", name="x", count_oligos=["C"], length_distribution=True), "report_json = true\n")
        report = made["json"]["x"]
        for stream, isA in (("b=true", True), ("b=false", False)):
            mine = [b for _, b, _ in RECORDS if b.startswith("A") == isA]
            self.assertEqual(report[stream]["molecule_count"], len(mine))
            self.assertEqual(sum(report[stream]["r"]["length_distribution"]), len(mine))
            self.assertEqual(report["count_oligos"][stream], {"C": sum("C" in b for b in mine)})
