# SPDX-License-Identifier: MIT
"""check_install.py TOP FOLDER: installs the library into FOLDER (`make install-lib`) and builds
examples against it as programs elsewhere do: with pkg-config, with DESTDIR, with CMake.
"""
import os
import pathlib
import shutil
import subprocess
import sys

top, folder = (pathlib.Path(word).resolve() for word in sys.argv[1:])
passed = failed = 0
CMAKE = """cmake_minimum_required(VERSION 3.13)
project(elsewhere LANGUAGES CXX)
find_package(workpool 0.1 REQUIRED)
add_executable(elsewhere {source})
target_compile_features(elsewhere PRIVATE cxx_std_17)
target_link_libraries(elsewhere PRIVATE workpool::workpool)
"""


def run(*command, **environment):
    ended = subprocess.run([str(word) for word in command], env={**os.environ, **environment},
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300)
    if ended.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: {ended.returncode}\n{ended.stdout}")
    return ended.stdout


def check(sentence, test):
    global passed, failed
    try:
        test()
        passed += 1
        print(f"ok   {sentence}")
    except (RuntimeError, AssertionError, OSError) as error:
        failed += 1
        print(f"FAIL {sentence}\n{error}")


def install(prefix, destdir=""):
    # The flags of the make above are not meant for this one.
    run("make", "--no-print-directory", "-C", top, "install-lib", f"PREFIX={prefix}",
        f"DESTDIR={destdir}", MAKEFLAGS="", MFLAGS="")


def compile_and_run(compiler, standard, source, flags, libraries):
    program = folder / f"{source.stem}-{compiler}"
    run(compiler, standard, source, "-o", program, *flags)
    printed = run(program, LD_LIBRARY_PATH=str(libraries))
    assert printed == (top / "examples" / "expected" / f"{source.stem}.txt").read_text(), printed


def flags_of(libraries, **environment):
    return run("pkg-config", "--cflags", "--libs", "workpool",
               PKG_CONFIG_PATH=str(libraries / "pkgconfig"), **environment).split()


def prefix():
    install(folder / "prefix")
    libraries = folder / "prefix" / "lib"
    flags = flags_of(libraries)
    compile_and_run("gcc", "-std=c99", top / "examples/c/1_pool.c", flags, libraries)
    compile_and_run("g++", "-std=c++17", top / "examples/cpp/3_stop.cpp", flags, libraries)


def destdir():
    install("/usr", folder / "stage")
    libraries = folder / "stage" / "usr" / "lib"
    flags = flags_of(libraries, PKG_CONFIG_SYSROOT_DIR=str(folder / "stage"),
                     PKG_CONFIG_ALLOW_SYSTEM_CFLAGS="1", PKG_CONFIG_ALLOW_SYSTEM_LIBS="1")
    compile_and_run("g++", "-std=c++17", top / "examples/cpp/1_pool.cpp", flags, libraries)


def cmake(root):
    source = folder / f"cmake-{root.name}"
    source.mkdir()
    (source / "CMakeLists.txt").write_text(
        CMAKE.format(source=top / "examples" / "cpp" / "3_stop.cpp"))
    run("cmake", "-S", source, "-B", source / "build", f"-DCMAKE_PREFIX_PATH={root}")
    run("cmake", "--build", source / "build")
    printed = run(source / "build" / "elsewhere")  # the build has noted where the library is
    assert printed == (top / "examples" / "expected" / "3_stop.txt").read_text(), printed


def refuses_another_version():
    source = folder / "cmake-prefix"
    text = (source / "CMakeLists.txt").read_text()
    for version in ("0.2", "0.0.9", "1.0"):
        (source / "CMakeLists.txt").write_text(text.replace("workpool 0.1", f"workpool {version}"))
        try:
            run("cmake", "-S", source, "-B", source / version,
                f"-DCMAKE_PREFIX_PATH={folder / 'prefix'}")
        except RuntimeError as error:
            assert "compatible with requested version" in str(error), error
        else:
            raise AssertionError(f"version {version} was found")


shutil.rmtree(folder, ignore_errors=True)
folder.mkdir(parents=True)
check("programs find an installation by pkg-config", prefix)
check("so they do behind DESTDIR", destdir)
if shutil.which("cmake"):
    check("CMake finds an installation", lambda: cmake(folder / "prefix"))
    check("CMake finds one that was moved", lambda: cmake(folder / "stage" / "usr"))
    check("CMake is refused another version", refuses_another_version)
else:
    print("cmake is not there: its package was not tried")
print(f"what is installed: {passed} passed, {failed} failed")
sys.exit(bool(failed))
