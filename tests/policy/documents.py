# SPDX-License-Identifier: Apache-2.0
"""Policies that are right, that are wrong, and that only the loader can tell to be wrong. Made from one base each, by one change."""
import copy


def base(**more):
    return {"version": "1", "default": "deny", "tools": {"t": {}}} | more


def tool(rule):
    return base(tools={"t": rule})


def predicate(op, value, arg="a", **more):
    return tool({"require": [{"arg": arg, "op": op, "value": value} | more]})


def limit(**more):
    return tool({"limits": [{"counter": "c", "window": "minute", "max": 10} | more]})


def older(*rules):
    return tool({"rules": list(rules)})


def condition(op, value, path="args.a"):
    return {"name": "r", "conditions": [{"path": path, "op": op, "value": value}]}


def grammar(**members):
    return tool({"commands": {"x": members}})


def flag(value, name="-x"):
    return grammar(flags={name: value})


def positional(value):
    return grammar(positionals=value)


def profile(**fields):
    return base(profiles={"p": fields})


STATE = {"counter": "c", "window": "day"}
COUNTED = {"name": "r", "conditions": [{"path": "state.t.c", "op": "lte", "value": 5}], "state": STATE}
SEED = {"version": "1", "default": "deny",
        "tools": {"run_in_venv": {"limits": [{"counter": "run_in_venv_rate", "window": "minute", "max": 10, "scope": "grant"}]}}}

GOOD = [
    SEED, base(), {"version": "1", "default": "allow"}, base(description="x"), base(hide=["a", "b_*"]), base(all_tools={"action": "deny", "reason": "no"}),
    base(**{"$schema": "urn:x"}), base(tools={}), base(tools={"a.b/c": {}, "x*": {}}), tool({"action": "allow"}), tool({"action": "require_approval", "approval_timeout": "5m"}),
    tool({"description": ""}), predicate("eq", None), predicate("eq", {"x": [1]}), predicate("neq", 1.5), predicate("in", ["a", 1]), predicate("not_in", [None]),
    predicate("lt", 1), predicate("lte", -1.5), predicate("gt", 0), predicate("gte", 2**53), predicate("regex", "^a$"), predicate("contains", 1), predicate("exists", False),
    predicate("under", "/srv/x"), predicate("under", "{workspace}"), predicate("under", "{workspace}/a"), predicate("under", "/"), predicate("glob", "*.py"),
    predicate("eq", 1, "a.b.0"), predicate("eq", 1, "a.*"), predicate("eq", 1, "a.*.b"), predicate("eq", 1, "/a.b/c~1d"), predicate("eq", 1, reason="because"),
    limit(), limit(window=60), limit(window="90s"), limit(window="1d"), limit(scope="session"), limit(scope="tool"), limit(scope="global"), limit(mode="fixed"),
    limit(increment_from="a.b"), limit(increment_from="args.n"), limit(max=10.0), tool({"rate_limit": "10/minute"}), tool({"rate_limit": {"max": 10, "window": 60}}),
    tool({"limits": []}), older(), older({"action": "deny", "reason": "x"}), older({"action": "allow"}), older({"rate_limit": "5/hour"}), older({"name": "r", "rate_limit": "5/day"}),
    older({"action": "allow", "rate_limit": {"max": 1, "window": "hour"}}), older(condition("eq", 1)), older(condition("exists", True)), older(COUNTED),
    older({"name": "r", "action": "require_approval", "approval_timeout": "30m"}), older({"name": "r", "action": "deny", "on_deny": "no"}), older({"name": "r", "spend": {"daily": 5}}), older({"spend": {"daily": 0.5, "per_call": 0}}),
    base(tools={"*": {"rules": [], "description": "all", "reason": "r"}}), base(tools={"*": {"limits": []}}),
    older({"name": "r", "action": "deny", "conditions": []}), {"version": "1", "tools": {"t": {"rules": []}, "*": {"rules": [{"rate_limit": "60/minute"}]}}},
    {"version": "1", "description": "d", "hide": ["x"], "tools": {"t": {"rules": []}}, "approvals": {"dedupe_window": "5m"}},
    profile(), profile(network="none", memory="512M", timeout="30s"), profile(memory=1024, cpu=0.5, processes=8, output_limit="1M", tmp_size="64M", on_output_limit="kill"),
    profile(access="direct", venv="env", venv_access="writable", stdin="null", require_cgroup=True, allow_degraded=["cpu", "cgroup"]), profile(allow_host=["packages.example", "*.example.org:443"]),
    profile(allow_host=["a.example"], egress_bytes="10M", egress_rate=1000, egress_connections=5, egress_at_once=4096), profile(network="egress", egress_rate="1M"),
    profile(network="egress", allow_host=["a.example:80"]), profile(network="host"), profile(allow_host=[], network="none"), profile(mounts=[{"source": "/srv/data"}]),
    profile(mounts=[{"source": "{workspace}/a", "target": "/a", "access": "direct"}, {"source": "/", "target": "/host"}]), profile(env=["A=1"], environment={"B": "2"}),
    profile(workspaces=["/srv/a", "/"]), profile(workspaces=["/srv/.hidden/..a"], venv="{workspace}/.venv"),
    profile(seccomp={"allow": ["ptrace"]}), base(grants={"g": {}}), base(grants={"g": {"token_sha256": "ab" * 32, "tools": ["t", "x*"], "limits": [{"counter": "c", "window": 1, "max": 1}]}}),
    base(approvals={}), base(approvals={"timeout": "1h", "dedupe_window": "5m", "webhook": {"url": "https://x.example/y", "secret_env": "S"}}),
    base(approvals={"notify": {"webhook": {"url": "http://x.example"}}}), base(hooks=[]), base(hooks=[{"name": "h", "event": "before_run", "http": "http://127.0.0.1:8181/v1/data/a"}]),
    base(hooks=[{"name": "h", "event": "after_run", "run": ["/usr/bin/logger", ""], "timeout": "500ms"}, {"name": "i", "event": "before_run", "run": ["prog"]}]),
    base(audit={"plain_arguments": ["command"]}), base(tools={"t": {"profile": "p"}}, profiles={"p": {}}), tool({"commands": {"true": {}}}),
    tool({"commands": {"pytest": {"flags": {"-x": "none", "--maxfail": {"integer": [1, 100]}}, "positionals": {"path_under": "{workspace}"}}}}),
    tool({"commands": {"a.b+c": {}, "\u00e4": {"preset": "ruff"}}}), grammar(preset="uv", flags={}, subcommands={"run": {"flags": {"-q": "none"}}}),
    flag("none"), flag("deny"), flag("string"), flag("integer"), flag("none", "-name"), flag("none", "--a.b"), flag("none", "---"), flag("none", "-\u00e9"), flag({"none": True, "max": 2}),
    flag({"optional": "string", "min": 1}), flag({"optional": {"enum": ["a"]}}), flag({"string": True, "min": 1, "max": 3, "max_length": 9, "allow": ["dash", "dash", "empty"]}),
    flag({"integer": True}), flag({"integer": [-5, 5]}), flag({"enum": ["a b", "c\td"]}), flag({"enum": ["-", "-a", "@b"], "allow": ["stdin", "dash", "at"]}), flag({"regex": ""}), flag({"glob": "**/*.py"}),
    positional("string"), positional("integer"), positional([]), positional(["string", {"regex": "a", "min": 2, "max": 3}]), positional({"path_under": "/"}), positional({"path_under": "/a/b.c"}),
    positional({"path_under": ["{workspace}/a", "/srv/..b"], "until": "::", "max_length": 1048576, "allow": ["colon"]}), positional({"list": {"integer": [0, 9]}, "separator": ":", "allow": []}),
    positional({"list": "string", "max": 65535, "min": 0}), positional({"any_of": ["integer", {"enum": ["auto"]}, {"all_of": [{"regex": "a"}, {"not": {"glob": "b*"}}]}], "max_length": 5}),
    positional({"not": {"enum": ["a"]}}), positional({"not": {"regex": "a", "max_length": 3}}), grammar(after_separator={"path_under": "{workspace}"}), grammar(after_separator=["string"]),
    grammar(subcommands={}), grammar(subcommands={"a": {}, "b-c.d": {"subcommands": {"e": {}}}}, global_flags={"-v": "none"}), grammar(number_flag={"integer": [0, 9], "max_length": 2}),
    grammar(standalone=["--version", "-h"], end_of_flags=False, interspersed=True, clusters=False), grammar(flags={"-m": "string", "-c": "none"}, after={"-m": {"a": "rest", "": {}, "b c": {"flags": {}}}, "-c": "rest"}),
]

# Both refuse these.
BAD = [
    {}, [], None, "x", {"version": "1"}, {"default": "deny"}, base(version="2"), base(version=1), base(default="maybe"), base(default=None), base(tols={}), base(tools=[]), base(tools={"t": None}),
    base(tools={"t": []}), base(tools={"": {}}), base(tools={"a\nb": {}}), base(tools={"x" * 257: {}}), base(hide="a"), base(hide=[1]), base(hide=[""]), base(hide=["a", "a"]), base(all_tools=[]),
    {"version": "1", "tools": {"t": {}}}, {"version": "1", "tools": {}}, {"version": "1", "tools": {"t": {"rules": []}}, "grants": {}}, {"version": "1", "tools": {"t": {"rules": [], "limits": []}}},
    tool({"action": "evaluate"}), tool({"limit": []}), tool({"reason": 1}), tool({"reason": ""}), tool({"approval_timeout": "5m"}), tool({"action": "deny", "approval_timeout": "5m"}),
    tool({"require": {}}), tool({"require": [1]}), tool({"require": [{}]}), predicate("equals", 1), predicate(1, 1), predicate("in", 1), predicate("lt", "1"), predicate("exists", "true"), predicate("regex", 1),
    predicate("glob", []), predicate("under", "x"), predicate("under", "/a/../b"), predicate("under", ""), predicate("under", "{home}/x"), predicate("under", "{workspace}x"), predicate("eq", 1, ""),
    predicate("eq", 1, "a..b"), predicate("eq", 1, ".a"), predicate("eq", 1, "*"), predicate("eq", 1, "a.*.b.*"), predicate("eq", 1, "/"), predicate("eq", 1, 1), predicate("eq", 1, extra=1),
    tool({"deny_if": [{"arg": "a", "op": "eq"}]}), limit(max=0), limit(max=-1), limit(max=1.5), limit(max="10"), limit(max=2**63 + 2048), limit(window="week"), limit(window=0), limit(window=-1), limit(window=1.5),
    limit(window="0s"), limit(window="10"), limit(window=31622401), limit(scope="agent"), limit(mode="rolling"), limit(counter=""), limit(counter="/x"), limit(counter=1), limit(increment_from=""), limit(increment_from="a.*"),
    limit(increment=1), tool({"limits": {}}), tool({"limits": [{"counter": "c", "window": 1}]}), tool({"rate_limit": "10"}), tool({"rate_limit": "0/minute"}), tool({"rate_limit": "010/minute"}),
    tool({"rate_limit": "10/week"}), tool({"rate_limit": 10}), tool({"rate_limit": {"max": 10}}), tool({"rate_limit": {"max": 10, "window": 60, "scope": "grant"}}), tool({"rules": {}}), older({}), older({"name": "r"}),
    older({"name": ""}), older({"conditions": [{"path": "args.a", "op": "eq", "value": 1}]}), older({"name": "r", "action": "refuse"}), older(condition("eq", 1) | {"action": "deny"}),
    older(condition("eq", 1) | {"rate_limit": "5/hour"}), older({"name": "r", "rate_limit": "5/hour", "state": STATE}), older({"action": "deny", "rate_limit": "5/hour"}), older({"name": "r", "action": "deny", "state": STATE}),
    older({"name": "r", "rate_limit": "5/hour", "approval_timeout": "5m"}), older({"action": "deny", "on_deny": "x"}), older(condition("eq", 1, "a")), older(condition("eq", 1, "args.")), older(condition("under", "/x")),
    older(condition("is", 1)), older(condition("in", 1)), older(COUNTED | {"state": {"counter": "c"}}), older(COUNTED | {"state": STATE | {"increment": 0}}), older(COUNTED | {"state": STATE | {"increment_from": "a"}}),
    older({"name": "r", "spend": 5}), older({"name": "r", "spend": {}}), older({"name": "r", "spend": {"daily": "5"}}), older({"name": "r", "spend": {"daily": -1}}), older({"name": "r", "spend": {"hourly": 1}}),
    base(tools={"*": {"rules": [], "limits": []}}), base(tools={"*": {"rules": [], "action": "allow"}}), base(all_tools={"rules": {}}), older({"name": "r", "state": STATE}), profile(memory="12Q"), profile(memory=0), profile(memory="0"), profile(timeout=5), profile(timeout="5"), profile(timeout="0s"), profile(cpu=0),
    profile(cpu="1"), profile(cpu=5000), profile(processes=0), profile(processes=1.5), profile(network="some"), profile(access="write"), profile(allow_host=["a\nb"]), profile(allow_preset=["pypi"]), profile(ca_file="ca.pem"), profile(allow_host=["h"], headers=[{"host": "h", "name": "A"}]), profile(allow_host=["h"], headers=[{"host": "h", "name": "A", "file": "/f", "variable": "V"}]), profile(allow_host=["a"], network="none"),
    profile(egress_bytes=0), profile(egress_rate="fast"), profile(egress_connections=0), profile(egress_at_once=4097), profile(network="none", egress_bytes="1M"), profile(network="host", egress_at_once=1),
    profile(allow_host=["a", "a"]), profile(stdin="file"), profile(require_cgroup=1), profile(allow_degraded=["disk"]), profile(mounts=[{}]), profile(mounts=[{"source": "data"}]),
    profile(mounts=[{"source": "/a/../b"}]), profile(mounts=[{"source": "/a//b"}]), profile(mounts=[{"source": "/"}]), profile(mounts=[{"source": "/a", "target": "/"}]), profile(mounts=[{"source": "/a", "access": "captured"}]),
    profile(env={"A": "1"}), profile(env=["A"]), profile(env=["=1"]), profile(environment={"A=B": "1"}), profile(environment={"A": 1}), profile(environment={"": "1"}), profile(seccomp={"allow": ["Mount"]}), profile(seccomp=[]),
    profile(workspaces=[]), profile(workspaces="/srv"), profile(workspaces=["srv"]), profile(workspaces=["/srv/../etc"]), profile(workspaces=["/srv/"]), profile(workspaces=["/srv/."]),
    profile(workspaces=["/a//b"]), profile(workspaces=["/a", "/a"]), profile(workspaces=["{workspace}"]), profile(output="1M"), base(profiles=[]), base(grants={"g": {"token_sha256": "ab"}}), base(grants={"g": {"tools": "t"}}), base(grants={"g": {"tools": ["t", "t"]}}), base(grants={"": {}}), base(grants={"g": {"token": "x"}}),
    base(approvals={"timeout": 5}), base(approvals={"webhook": {}}), base(approvals={"webhook": {"url": "https://x.example/y"}}), base(approvals={"webhook": {"url": "ftp://x"}}), base(approvals={"webhook": {"url": "http://"}}), base(approvals={"notify": {"mail": {}}}), base(hooks={}),
    base(hooks=[{"name": "h", "event": "before_run"}]), base(hooks=[{"name": "h", "event": "before_run", "run": ["/x"], "http": "http://x"}]), base(hooks=[{"name": "h", "event": "during_run", "run": ["/x"]}]),
    base(hooks=[{"event": "before_run", "run": ["/x"]}]), base(hooks=[{"name": "h", "event": "before_run", "run": []}]), base(hooks=[{"name": "h", "event": "before_run", "run": ["a/b"]}]),
    base(hooks=[{"name": "h", "event": "before_run", "http": "https://x"}]), base(audit={"plain": []}), base(audit={"plain_arguments": "command"}), tool({"profile": ""}), tool({"commands": []}), tool({"commands": {"x": 1}}),
    tool({"commands": {}}), tool({"commands": {"no/slash": {}}}), tool({"commands": {"": {}}}), tool({"commands": {"-x": {}}}), tool({"commands": {"a b": {}}}), tool({"commands": {"..": {}}}), tool({"commands": {"a\n": {}}}),
    grammar(flag={}), grammar(preset="nosuch"), grammar(preset=1), grammar(flags=[]), flag("none", "x"), flag("none", "-"), flag("none", "--"), flag("none", "--a=b"), flag("none", "-a b"), flag("nothing"), flag(True), flag({}),
    flag({"none": False}), flag({"none": True, "max_length": 1}), flag({"none": True, "string": True}), flag({"optional": "none"}), flag({"optional": {"string": True, "max": 1}}), flag({"optional": "string", "allow": []}),
    flag({"string": False}), flag({"string": True, "integer": True}), flag({"integer": [1]}), flag({"integer": ["1", "2"]}), flag({"integer": [1.5, 2]}), flag({"enum": []}), flag({"enum": "a"}), flag({"enum": [""]}), flag({"enum": ["a", "a"]}),
    flag({"enum": ["a\n"]}), flag({"regex": 1}), flag({"glob": ""}), flag({"string": True, "min": -1}), flag({"string": True, "min": 65536}), flag({"string": True, "max": 0}), flag({"string": True, "max_length": 0}),
    flag({"string": True, "max_length": 1048577}), flag({"string": True, "allow": ["nul"]}), flag({"string": True, "allow": "dash"}), flag({"string": True, "separator": ","}), flag({"string": True, "until": ":"}), flag({"string": True, "most": 1}),
    positional("none"), positional("deny"), positional({"none": True}), positional({"optional": "string"}), positional(["none"]), positional({"path_under": "a"}), positional({"path_under": "/a/"}), positional({"path_under": "/a//b"}),
    positional({"path_under": "/a/../b"}), positional({"path_under": "{home}/a"}), positional({"path_under": "{workspace}/"}), positional({"path_under": "{workspace}a"}), positional({"path_under": []}), positional({"list": "none"}),
    positional({"list": {"string": True, "min": 1}}), positional({"list": "string", "separator": ""}), positional({"any_of": []}), positional({"any_of": "string"}), positional({"any_of": ["string"], "allow": ["dash"]}),
    positional({"all_of": [{"string": True, "max": 1}]}), positional({"not": "string"}), positional({"not": {"path_under": "/"}}), positional({"not": {"any_of": ["string"]}}), grammar(number_flag="integer"), grammar(number_flag={"integer": True}),
    grammar(number_flag={"integer": [-1, 5]}), grammar(number_flag={"regex": "1"}), grammar(standalone="--version"), grammar(standalone=["version"]), grammar(subcommands=[]), grammar(subcommands={"-a": {}}), grammar(subcommands={"": {}}),
    grammar(subcommands={"a b": {}}), grammar(subcommands={"a": "rest"}), grammar(subcommands={"a": {"flgs": {}}}), grammar(flags={"-m": "string"}, after={"-m": "others"}), grammar(flags={"-m": "string"}, after={"-m": {"a": 1}}),
    grammar(after=[]), grammar(clusters=1), grammar(end_of_flags="no"), grammar(interspersed=None),
]

# A schema can't tell; the loader does.
LOADER_ONLY = [
    profile(allow_host=["a:0"]), profile(allow_host=["a b"]), profile(seccomp={"allow": ["mount"]}),
    predicate("regex", "("), tool({"profile": "nowhere"}), base(grants={"g": {"profile": "nowhere"}}), base(tools={"ab*": {}, "a*b": {}}), limit(window="367d"),
    tool({"limits": [{"counter": "c", "window": 60, "max": 1}, {"counter": "c", "window": "minute", "max": 2}]}), older(condition("lte", 5, "state.t.nobody")), predicate("exists", True, "a.*"),
    base(hooks=[{"name": "h", "event": "before_run", "run": ["/x"]}, {"name": "h", "event": "after_run", "run": ["/x"]}]), base(grants={"g": {"token_sha256": "ab" * 32}, "h": {"token_sha256": "AB" * 32}}),
    profile(env=["A=1", "A=2"]), profile(mounts=[{"source": "/a", "target": "/x"}, {"source": "/b", "target": "/x"}]), grammar(after={"-m": "rest"}), flag({"regex": "("}), flag({"glob": "[a"}), flag({"enum": ["-a"]}), flag({"integer": [2, 1]}), flag({"string": True, "min": 3, "max": 2}),
    positional([{"string": True, "min": 0, "max": 2}, "string"]), grammar(positionals="string", subcommands={"a": {}}),
]


def places(value, found):
    """Every object and list in the value, from the top down."""
    if isinstance(value, (dict, list)):
        found.append(value)
        for inner in list(value.values()) if isinstance(value, dict) else value:
            places(inner, found)
    return found


def mutated(document, random):
    """The document with one or two things in its rule of `t` taken out, replaced or added; what with is taken from documents that are right."""
    made = copy.deepcopy(document)
    for _ in range(random.randint(1, 2)):
        inside = places(made["tools"]["t"], [])
        place = random.choice(inside)
        other = copy.deepcopy(random.choice(places(random.choice(GOOD[-50:])["tools"], [])))
        value = random.choice([other, other, 0, 1, -1, 2.0, "", "none", "string", "integer", "rest", "-a", "/a", "{workspace}", True, False, None, [], {}, ["string"], [1, 2]])
        if isinstance(place, list):
            place.insert(random.randint(0, len(place)), value)
            continue
        keys = sorted({key for one in inside + places(other, []) if isinstance(one, dict) for key in one} | {"min", "max", "allow", "until"})
        if place and random.random() < 0.5:
            place.pop(random.choice(sorted(place)))
        else:
            place[random.choice(keys)] = value
    return made
