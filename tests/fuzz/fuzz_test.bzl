"""engram_fuzz_test: a fuzz target that CI replays and libFuzzer can search with."""

def engram_fuzz_test(name, srcs, corpus, deps, mutations = 2000, data = []):
    """Makes two targets of a source that defines LLVMFuzzerTestOneInput.

    `name` is a test: it runs every file of the folder `corpus` (in tests/fuzz/corpus) and `mutations`
    seeded mutations of each, the same ones every time. `name`_libfuzzer is a program that searches for
    new inputs with clang's libFuzzer; it is built only when asked for:

        bazel build --config=layers --cc_output_directory_tag=fuzz \\
          --copt=-fsanitize=fuzzer-no-link,address --linkopt=-fsanitize=address \\
          //tests/fuzz:safetensors_fuzz_libfuzzer
        .../safetensors_fuzz_libfuzzer -max_total_time=60 tests/fuzz/corpus/safetensors

    What it finds goes into the corpus under a name that says what it is.

    Args:
      name: of the test.
      srcs: the source.
      corpus: name of the folder.
      deps: what the source needs.
      mutations: how many of each file; keep a test below ten seconds.
      data: further files.
    """
    files = native.glob(["corpus/" + corpus + "/**"])
    native.cc_test(
        name = name,
        size = "small",
        srcs = srcs + ["replay_main.cc"],
        args = [native.package_name() + "/corpus/" + corpus, "--mutations=%d" % mutations],
        data = files + data,
        deps = deps,
    )
    native.cc_binary(
        name = name + "_libfuzzer",
        testonly = True,
        srcs = srcs,
        data = data,
        linkopts = ["-fsanitize=fuzzer"],
        tags = ["manual"],
        deps = deps,
    )
