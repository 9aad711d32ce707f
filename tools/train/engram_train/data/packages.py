# SPDX-License-Identifier: Apache-2.0
"""Fetches Debian packages and unpacks them, without installing anything."""
import glob
import hashlib
import os
import shutil
import subprocess

# Package → what it is used for and its licence; `prepare.py` reads the files, the model card repeats the table.
PACKAGES = {
    "wordnet-base": "WordNet 3.0 (WordNet licence: free, notice required)",
    "sword-text-kjv": "King James Bible (public domain)",
    "sword-text-web": "World English Bible (public domain)",
    "r-cran-janeaustenr": "six novels by Jane Austen (public domain)",
    "dict-devil": "The Devil's Dictionary by Ambrose Bierce (public domain)",
    "dict-jargon": "The Jargon File 4.4.7 (public domain)",
    "fortunes-zh": "poems of the Tang and Song dynasties (public domain)",
}


def fetch(folder):
    """Unpacks every package to folder/<package>; → {package: its version and the hash of its file}."""
    archives = os.path.join(folder, "archives")
    os.makedirs(archives, exist_ok=True)
    found = {}
    for package in PACKAGES:
        present = glob.glob(os.path.join(archives, package + "_*.deb"))
        if not present:
            _download(package, archives)
            present = glob.glob(os.path.join(archives, package + "_*.deb"))
        with open(present[0], "rb") as file:
            digest = hashlib.sha256(file.read()).hexdigest()
        target = os.path.join(folder, package)
        if not os.path.isdir(target):
            subprocess.run(["dpkg-deb", "--extract", present[0], target + ".part"], check=True)
            os.rename(target + ".part", target)
        found[package] = {"version": os.path.basename(present[0]).split("_")[1], "sha256": digest}
    return found


def _download(package, folder):
    if not shutil.which("apt-get"):
        raise SystemExit(f"{package}: texts come from Debian packages, and apt-get is not here; use Debian or Ubuntu, "
                         f"or put {package}_*.deb into {folder}")
    run = subprocess.run(["apt-get", "download", "--quiet", package], cwd=folder, capture_output=True, text=True)
    if run.returncode:
        raise SystemExit(f"{package}: apt-get download failed; is the list of packages fresh (apt-get update)?\n"
                         + run.stderr.strip())
