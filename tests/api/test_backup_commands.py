"""`xuntu backup` and `xuntu restore` as a person meets them: what they say, and a search in what was restored."""

import json
import shutil
import signal
import subprocess
import sys


def test_from_a_library_to_a_search_in_its_backup(library, xuntu, tmp_path):
    data = shutil.copytree(library, tmp_path / "library")
    done = xuntu("backup", "saved.tar.gz", "--data", data)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Written: saved.tar.gz (9 pictures, build ")
    assert "backing up" in done.stderr
    checked = xuntu("restore", "saved.tar.gz", "--check", "--json")
    assert json.loads(checked.stdout)["pictures"] == 9
    refused = xuntu("restore", "saved.tar.gz", "--data", data, LANG="zh_CN.UTF-8")
    assert refused.returncode == 2
    assert "已有图库" in refused.stderr
    assert xuntu("restore", "saved.tar.gz", "--data", "other").returncode == 0
    assert xuntu("index", "verify", "--data", "other").returncode == 0
    found = json.loads(xuntu("search", "一只猫", "--data", "other", "--k", "1", "--json").stdout)
    assert found["hits"][0]["path"] == "cat.png"


def test_a_running_service_takes_up_what_is_restored(library, serve, wait_until, xuntu, tmp_path):
    import urllib.request

    assert xuntu("backup", "saved.tar", "--data", library).returncode == 0
    address = serve(tmp_path / "data", until="/healthz")
    assert xuntu("restore", "saved.tar", "--data", "data").returncode == 0

    def answered() -> bool:
        try:
            with urllib.request.urlopen(f"{address}/v1/search?q=cat&k=1", timeout=60) as answer:
                return json.load(answer)["total"] == 9
        except OSError:
            return False

    wait_until(answered, "the restored library")


def test_stopped_it_leaves_nothing(library, tmp_path, processes):
    data = shutil.copytree(library, tmp_path / "library")
    with (data / "large.bin").open("wb") as large:
        large.truncate(3 * 2**30)
    code = "from api.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "backup", str(tmp_path / "saved.tar"), "--data", str(data)],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr.readline() == "backing up\n"
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate()
    assert process.returncode == 130
    assert "Nothing of it was kept" in said
    assert [path.name for path in tmp_path.iterdir()] == ["library"]
