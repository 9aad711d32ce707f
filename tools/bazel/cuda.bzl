"""cuda_library: .cu sources compiled with nvcc, as a cc_library."""

load("//tools/bazel:flags.bzl", "StringFlagInfo")

def _gencode(archs):
    out = []
    for arch in archs:
        out.append("-gencode=arch=compute_%s,code=sm_%s" % (arch, arch))
    last = [a for a in archs if not a.endswith("a")]
    if last:
        out.append("-gencode=arch=compute_%s,code=compute_%s" % (last[-1], last[-1]))
    return out

def _impl(ctx):
    headers = depset(
        ctx.files.hdrs,
        transitive = [d[CcInfo].compilation_context.headers for d in ctx.attr.deps],
    )
    contexts = [d[CcInfo].compilation_context for d in ctx.attr.deps]
    archs = ctx.attr._archs[StringFlagInfo].value.split(",")
    dbg = ctx.var["COMPILATION_MODE"] == "dbg"
    objects = []
    for src in ctx.files.srcs:
        obj = ctx.actions.declare_file("_objs/%s/%s.pic.o" % (ctx.label.name, src.basename[:-3]))
        args = ctx.actions.args()
        args.add_all(["-std=c++20", "-ccbin", "/usr/bin/g++", "-Xcompiler", "-fPIC", "--threads", "2"])
        args.add_all(["-O2", "-g", "-lineinfo"] if dbg else ["-O3", "-DNDEBUG"])
        args.add_all(_gencode(archs))
        args.add_all(["-I", ".", "-I", ctx.bin_dir.path, "-I", ctx.genfiles_dir.path])
        for c in contexts:
            args.add_all(c.defines, format_each = "-D%s")
            args.add_all(c.includes, before_each = "-I")
            args.add_all(c.quote_includes, before_each = "-I")
            args.add_all(c.system_includes, before_each = "-isystem")
        args.add_all(ctx.attr.copts)
        args.add("-c", src)
        args.add("-o", obj)
        ctx.actions.run(
            executable = ctx.executable._nvcc,
            arguments = [args],
            inputs = depset([src], transitive = [headers]),
            outputs = [obj],
            mnemonic = "CudaCompile",
            progress_message = "nvcc %s" % src.short_path,
        )
        objects.append(obj)
    return [DefaultInfo(files = depset(objects))]

_cuda_objects = rule(
    implementation = _impl,
    attrs = {
        "srcs": attr.label_list(allow_files = [".cu"]),
        "hdrs": attr.label_list(allow_files = [".h", ".cuh", ".inc"]),
        "deps": attr.label_list(providers = [CcInfo]),
        "copts": attr.string_list(),
        "_archs": attr.label(default = "//tools/bazel:cuda_archs"),
        "_nvcc": attr.label(default = "@local_cuda//:nvcc.sh", executable = True, cfg = "exec", allow_single_file = True),
    },
)

CUDA_ONLY = select({
    "//tools/bazel:cuda_enabled": [],
    "//conditions:default": ["//tools/bazel:incompatible"],
})

def cuda_library(name, srcs, hdrs = [], deps = [], copts = [], visibility = None, alwayslink = False):
    """A cc_library of CUDA code; skipped by //... unless --config=cuda."""
    _cuda_objects(
        name = name + "_objects",
        srcs = srcs,
        hdrs = hdrs,
        deps = deps,
        copts = copts,
        target_compatible_with = CUDA_ONLY,
    )
    native.cc_library(
        name = name,
        srcs = [":" + name + "_objects"],
        hdrs = [h for h in hdrs if h.endswith(".h")],
        deps = deps + ["@local_cuda//:cudart_static"],
        visibility = visibility,
        alwayslink = alwayslink,
        target_compatible_with = CUDA_ONLY,
    )
