"""engram_cc_test: a GoogleTest binary with the project's main()."""

def engram_cc_test(name, srcs, deps = [], size = "small", **kwargs):
    native.cc_test(
        name = name,
        srcs = srcs,
        size = size,
        deps = deps + [
            "//tests/testing:gtest_main",
            "@system//:gmock",
            "@system//:gtest",
        ],
        **kwargs
    )
