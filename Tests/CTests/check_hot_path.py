# SPDX-License-Identifier: MIT
"""check_hot_path.py UNSTRIPPED_LIBRARY: no allocation, reference counting, exclusivity check or
lock in the functions that every block goes through.

Each entry of HOT must match at least one function, so that a rename cannot switch a check off.
Functions that the compiler split off a hot one (outlined, merged, partial, thunks) count as part of
it. What is slow and rare (sleeping, the end of a run, a growing buffer) lives in functions of its
own, which are not on the list. The points at which tests may hold a thread up must have left no trace.
"""
import os
import re
import subprocess
import sys

# Searched in demangled names such as "PipelineRun.carry(_:_:)".
HOT = [
    r"\bPipelineRun\.work\(",
    r"\bPipelineRun\.carry\(",
    r"\bPipelineRun\.(carryOnward|leaveTheWay|goOn)\(",
    r"\bPipelineRun\.pull\(",
    r"\bPipelineRun\.enter\(",
    r"\bPipelineRun\.gather\(",
    r"\bPipelineRun\.leavePlace\(",
    r"\bPipelineRun\.publish\(",
    r"\bPipelineRun\.passKept\(",
    r"\bPipelineRun\.steal\(",
    r"\bPipelineRun\.callTimed\(",
    r"\bPipelineRun\.checkPayload\(",
    r"\bPipelineRun\.noteCost\(",
    r"\bPipelineRun\.settle\(",
    r"\bPipelineRun\.release\(",
    r"\bPipelineRun\.(recharge|discharge)\(",
    r"\bPipelineRun\.(layDown|resumeSourceHere)\(",
    r"\bPipelineRun\.deliver\(",
    r"\bWeights\.addIfRoom\(",
    r"\bPipelineRun\.split\(",
    r"\bPipelineRun\.makeOutput\(",
    r"\bRecordSet\.(take|insert)\(",
    r"\bStagePlaces\.park\(",
]
# The way in from threads of the host, which may have to wait there: locks are allowed.
WAY_IN = [r"\bPipelineRun\.submit\(", r"\bPipelineRun\.claim\("]
COUNTS = (r"swift_(retain|release|bridgeObjectRe\w+|beginAccess|allocObject|once|slowAlloc\w*)\w*"
          r"|malloc|calloc|realloc|free|posix_memalign|aligned_alloc|wpl_allocate\w*")
LOCKS = r"pthread_mutex_\w+|pthread_cond_\w+|wpl_monitor_\w+"
SPLIT_OFF = re.compile(r"outlined|merged|partial apply|thunk|\.cold")
CALL = re.compile(r"\s(?:call|jmp|j\w\w?|bl?|b\.\w+|cbn?z|tbn?z)\w*\s.*<([^>+]+)>")


def output(*command, **more):
    return subprocess.run(command, check=True, capture_output=True, text=True, **more).stdout


def calls_by_function(library):
    """mangled name -> names of what it calls or jumps to."""
    calls, name = {}, None
    for line in output("objdump", "-d", "--no-show-raw-insn", library).splitlines():
        if head := re.match(r"[0-9a-f]+ <(.+)>:$", line):
            name = head[1]
            calls[name] = set()
        elif name and (target := CALL.search(line)):
            calls[name].add(re.sub(r"@.*", "", target[1]))
    return calls


def main(library):
    calls = calls_by_function(library)
    mangled = list(calls)
    plain = output(os.environ.get("SWIFT", "swift"), "demangle", "--simplified",
                   input="\n".join(mangled) + "\n").splitlines()
    readable = dict(zip(mangled, plain))
    passed = failed = 0
    for pattern in HOT + WAY_IN:
        forbidden = re.compile(COUNTS if pattern in WAY_IN else f"{COUNTS}|{LOCKS}")
        found = [m for m in mangled if re.search(pattern, readable[m]) and not SPLIT_OFF.search(readable[m])]
        bad = [] if found else ["matches no function"]
        seen, todo = set(found), list(found)
        while todo:
            caller = todo.pop()
            for target in sorted(calls.get(caller, ())):
                if forbidden.fullmatch(target):
                    bad.append(f"{readable[caller]} calls {target}")
                elif target not in seen and SPLIT_OFF.search(readable.get(target, "")):
                    seen.add(target)
                    todo.append(target)
        print(f"{'FAIL' if bad else 'ok  '} {pattern}: {len(seen)} functions")
        for line in bad:
            print(f"       {line}")
        passed += not bad
        failed += bool(bad)
    hooks = [m for m in mangled if "wpl_schedule" in m or "schedulePoint" in readable[m]]
    hooks += sorted({t for called in calls.values() for t in called if "wpl_schedule" in t})
    print(f"{'FAIL' if hooks else 'ok  '} nothing holds threads up for tests: {len(hooks)} functions")
    passed += not hooks
    failed += bool(hooks)
    print(f"hot path: {passed} passed, {failed} failed")
    return failed > 0


sys.exit(main(sys.argv[1]))
