#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks every #include against the table of the architecture: who may include whom, and which library is allowed where."""
import pathlib
import re
import sys

# folder (longest match wins) -> (own folders it may include, third-party prefixes it may include)
RULES = {
    "sandbox/base": ((), ("tl/",)),
    "sandbox/launch": (("sandbox/base", "sandbox/plan_wire.h"), ()),
    "sandbox/seccomp": (("sandbox/base",), ("seccomp.h",)),
    "sandbox": (("sandbox/base", "sandbox/seccomp"), ("boost/process", "boost/asio", "nlohmann/")),
    "policy": (("sandbox/base",), ("nlohmann/", "yaml-cpp/", "re2/", "SQLiteCpp/", "hiredis/")),
    "policy/approvals": (("sandbox/base", "policy"), ("nlohmann/", "SQLiteCpp/", "openssl/")),
    "engine": (("policy", "sandbox"), ("nlohmann/", "boost/", "spdlog/", "SQLiteCpp/", "openssl/", "toml++/")),
    "tools": (("engine", "policy", "sandbox", "tools"), ("CLI/", "boost/", "prometheus/", "spdlog/", "nlohmann/", "fmt/", "openssl/", "sodium.h", "SQLiteCpp/")),
}
# A library that only these files of a folder may use.
ONLY = {
    ("sandbox", "boost/"): {"sandbox/launcher_start.cc"},
    ("sandbox", "nlohmann/"): {"sandbox/plan_json.cc"},
    ("tools", "sodium.h"): {"tools/wardenv/musl/crypto.cc"},
    ("tools", "SQLiteCpp/"): {"tools/wardenv/musl/sqlite.cc"},
}
THIRD_PARTY = re.compile(r"^(tl/|seccomp\.h|boost/|nlohmann/|yaml-cpp/|re2/|SQLiteCpp/|hiredis/|spdlog/|fmt/|CLI/|prometheus/|catch2/|openssl/|sodium\.h|toml\+\+/|zlib\.h)")
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]')
FOLDERS = ("sandbox", "policy", "engine", "tools")


def rule_for(path):
    return max((name for name in RULES if path.startswith(name + "/")), key=len)


def own_include_allowed(folder, included):
    allowed, _ = RULES[folder]
    if included.rsplit("/", 1)[0] == folder or included.startswith(folder + "/") and folder not in ("sandbox",):
        return True
    return any(included == item or included.startswith(item + "/") for item in allowed)


def third_party_allowed(folder, path, included):
    if not any(included.startswith(prefix) for prefix in RULES[folder][1]):
        return False
    return all(path in files for (where, prefix), files in ONLY.items() if where == folder and included.startswith(prefix))


def problem(path, quote, included):
    folder = rule_for(path)
    if quote == '"':
        if included.startswith(FOLDERS) or included.startswith("tests/"):
            return None if own_include_allowed(folder, included) else "may not include"
        return "includes from somewhere else than the root:"
    if THIRD_PARTY.match(included) and not third_party_allowed(folder, path, included):
        return "may not use"
    return None


def check(root):
    found = []
    count = 0
    for folder in FOLDERS:
        for file in sorted(root.glob(folder + "/**/*")):
            if file.suffix not in (".h", ".cc"):
                continue
            path = str(file.relative_to(root))
            for number, line in enumerate(file.read_text().splitlines(), 1):
                match = INCLUDE.match(line)
                if not match:
                    continue
                count += 1
                word = problem(path, *match.groups())
                if word:
                    found.append(f"{path}:{number}: {word} {match.group(2)}")
    return count, found


def self_test():
    """The checker itself must refuse what it is there to refuse."""
    assert problem("sandbox/launch/main.cc", "<", "seccomp.h")
    assert problem("sandbox/launch/main.cc", '"', "sandbox/plan.h")
    assert problem("sandbox/compile.cc", '"', "engine/engine.h")
    assert problem("sandbox/compile.cc", "<", "boost/asio.hpp")
    assert problem("policy/decision.cc", '"', "engine/engine.h")
    assert problem("engine/engine.cc", '"', "tools/wardenv/run.h")
    assert not problem("engine/engine.cc", '"', "sandbox/plan.h")
    assert not problem("sandbox/launch/main.cc", '"', "sandbox/plan_wire.h")


if __name__ == "__main__":
    self_test()
    includes, problems = check(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "."))
    print("\n".join(problems))
    print(f"{includes} includes looked at")
    print(f"{0 if problems else 1} passed, {1 if problems else 0} failed")
    sys.exit(1 if problems or not includes else 0)
