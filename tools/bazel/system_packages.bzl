"""Makes libraries that the machine's package manager installed into targets.

The repository gets one cc_library per entry of PACKAGES. Headers are found on
the compiler's own search path; the link flags come from pkg-config where the
package has a .pc file. A missing package is no error until a target is used.
"""

# name: (pkg-config modules or None, link flags without pkg-config, header that
# must exist, Debian package, extra defines)
_PACKAGES = {
    "absl": (
        [
            "absl_base",
            "absl_status",
            "absl_statusor",
            "absl_str_format",
            "absl_strings",
            "absl_synchronization",
            "absl_time",
            "absl_flat_hash_map",
            "absl_flat_hash_set",
            "absl_random_random",
        ],
        None,
        "absl/status/statusor.h",
        "libabsl-dev",
    ),
    "benchmark": (["benchmark"], None, "benchmark/benchmark.h", "libbenchmark-dev"),
    "cli11": (None, [], "CLI/CLI.hpp", "libcli11-dev"),
    "boost": (None, ["-pthread"], "boost/beast.hpp", "libboost-dev"),
    "gmock": (["gmock"], None, "gmock/gmock.h", "libgmock-dev"),
    "grpc++": (["grpc++", "protobuf"], None, "grpcpp/grpcpp.h", "libgrpc++-dev"),
    "grpc++_reflection": (None, ["-lgrpc++_reflection"], "grpcpp/ext/proto_server_reflection_plugin.h", "libgrpc++-dev"),
    "gtest": (["gtest"], None, "gtest/gtest.h", "libgtest-dev"),
    "icu": (["icu-uc", "icu-i18n"], None, "unicode/unistr.h", "libicu-dev"),
    "nlohmann_json": (["nlohmann_json"], None, "nlohmann/json.hpp", "nlohmann-json3-dev"),
    "pcre2": (["libpcre2-8"], None, "pcre2.h", "libpcre2-dev"),
    "protobuf": (["protobuf"], None, "google/protobuf/message.h", "libprotobuf-dev"),
    "spdlog": (["spdlog"], None, "spdlog/spdlog.h", "libspdlog-dev"),
    "uring": (None, ["-luring"], "liburing.h", "liburing-dev"),
}

_TOOLS = {
    "protoc": "protobuf-compiler",
    "grpc_cpp_plugin": "protobuf-compiler-grpc",
}

# Packages without a static library that also work header-only: the defines for
# a portable build.
_HEADER_ONLY = {
    "spdlog": ["SPDLOG_FMT_EXTERNAL", "SPDLOG_HEADER_ONLY", "FMT_HEADER_ONLY"],
}

# Libraries that are always taken as shared objects, even in a portable build.
_ALWAYS_SHARED = ["pthread", "dl", "rt", "m", "c", "atomic"]

def _dedupe_keep_last(flags):
    seen = {}
    out = []
    for flag in reversed(flags):
        if flag.startswith("-l") and flag in seen:
            continue
        seen[flag] = True
        out.append(flag)
    return reversed(out)

def _pkg_config(ctx, modules):
    result = ctx.execute(["pkg-config", "--cflags", "--libs"] + modules)
    if result.return_code != 0:
        return None
    return [f for f in result.stdout.strip().split(" ") if f]

def _static_flags(ctx, flags, libdir):
    out = []
    for flag in flags:
        name = flag[2:]
        if flag.startswith("-l") and name not in _ALWAYS_SHARED and ctx.path(libdir + "/lib" + name + ".a").exists:
            out.append("-l:lib" + name + ".a")
        else:
            out.append(flag)
    return out

def _stamp(ctx):
    """A short name for these versions of the compiler and the libraries.

    Bazel does not look at what is in /usr/include, so an upgrade there would
    leave stale objects in the output tree and in a disk cache. The stamp is on
    the command line of whatever uses a system library.
    """
    modules = [m for p in _PACKAGES.values() if p[0] for m in p[0]]
    script = "{ gcc --version | head -1; for m in %s; do pkg-config --modversion $m; done; } 2>&1 | cksum | cut -d' ' -f1" % " ".join(modules)
    return ctx.execute(["sh", "-c", script]).stdout.strip()

def _impl(ctx):
    build = ['package(default_visibility = ["//visibility:public"])', ""]
    triplet = ctx.execute(["gcc", "-print-multiarch"]).stdout.strip()
    libdir = "/usr/lib/" + triplet if triplet else "/usr/lib64"
    stamp = _stamp(ctx)
    for name, (modules, flags, header, package) in _PACKAGES.items():
        found = ctx.path("/usr/include/" + header).exists
        if found and modules:
            flags = _pkg_config(ctx, modules)
            found = flags != None
        if not found:
            # A target that fails only when something needs it.
            build += [
                "genrule(",
                '    name = "%s_missing",' % name,
                '    outs = ["%s_missing.h"],' % name,
                '    cmd = "echo >&2 \'%s is not installed: apt-get install %s (or run tools/setup)\'; exit 1",' % (name, package),
                ")",
                'cc_library(name = "%s", hdrs = [":%s_missing"])' % (name, name),
                "",
            ]
            continue
        defines = [f[2:] for f in flags if f.startswith("-D") and f != "-DNOMINMAX"]
        defines.append("ENGRAM_SYSTEM_STAMP=" + stamp)
        links = [f for f in flags if not f.startswith("-D") and not f.startswith("-I")]
        if not [f for f in links if f.startswith("-Wl")]:
            links = _dedupe_keep_last(links)
        portable_defines = _HEADER_ONLY.get(name, defines[:-1]) + defines[-1:]
        static = [] if name in _HEADER_ONLY else _static_flags(ctx, links, libdir)
        build += [
            "cc_library(",
            '    name = "%s",' % name,
            "    defines = select({",
            '        "@//tools/bazel:portable": %r,' % portable_defines,
            '        "//conditions:default": %r,' % defines,
            "    }),",
            "    linkopts = select({",
            '        "@//tools/bazel:portable": %r,' % static,
            '        "//conditions:default": %r,' % links,
            "    }),",
            ")",
            "",
        ]
    for tool, package in _TOOLS.items():
        path = ctx.which(tool)
        if path:
            ctx.symlink(path, "bin/" + tool)
        else:
            ctx.file("bin/" + tool, "#!/bin/sh\necho >&2 '%s is not installed: apt-get install %s'\nexit 1\n" % (tool, package), executable = True)
    build.append("exports_files(%r)" % ["bin/" + t for t in _TOOLS.keys()])
    ctx.file("BUILD.bazel", "\n".join(build) + "\n")

system_packages = repository_rule(
    implementation = _impl,
    configure = True,
    environ = ["PATH", "PKG_CONFIG_PATH"],
    local = True,
    doc = "One cc_library per system library; see the top of this file.",
)
