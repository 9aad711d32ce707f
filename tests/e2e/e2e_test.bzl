"""e2e_test: a pytest file against the real server binary over real sockets."""

def e2e_test(name, data):
    """Runs NAME.py with the Python of .venv, which tools/python_env makes.

    Args:
      name: the pytest file without ".py".
      data: what it reads besides the server and the helpers of this folder.
    """
    native.sh_test(
        name = name,
        size = "medium",
        srcs = ["run_pytest.sh"],
        args = ["tests/e2e/%s.py" % name],
        data = data + [
            name + ".py",
            "conftest.py",
            "golden.py",
            "grpc_stubs.py",
            "requirements.txt",
            "server_process.py",
            "//proto/engram/v1:generation.proto",
            "//server:engram-server",
        ],
        tags = [
            "e2e",
            "notsan",
        ],
    )
