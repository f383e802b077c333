# Copyright: (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The token's text is nowhere but in the session's own file."""

from __future__ import annotations

import contextlib
import os
import pathlib
import socket
import stat
import threading
import typing as t

import pytest

SYSLOG = "/dev/log"
PLAY = """
- onetoken.openstack.os_token_issue: {cloud: sandbox}
  register: session
- copy:
    src: "{{ session.session }}/tokens/"
    dest: "{{ ansible_env_home }}/kept/"
    mode: preserve
- openstack.cloud.server_info:
  environment: "{{ session.environment }}"
- command: openstack server list
  environment: "{{ session.environment }}"
- onetoken.openstack.os_token_info: {session: "{{ session.session }}", validate: true}
- command: "false"
  environment: "{{ session.environment }}"
  ignore_errors: true
- onetoken.openstack.os_token_revoke: {session: "{{ session.session }}"}
- openstack.cloud.server_info:
  environment: "{{ session.environment }}"
  ignore_errors: true
"""


@contextlib.contextmanager
def syslog() -> t.Iterator[list[bytes]]:
    """What processes send to syslog meanwhile: modules log their arguments there."""
    received: list[bytes] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(SYSLOG)
        server.settimeout(0.2)
        done = threading.Event()

        def listen() -> None:
            while not done.is_set():
                with contextlib.suppress(TimeoutError):
                    received.append(server.recv(65536))

        listener = threading.Thread(target=listen)
        listener.start()
        try:
            yield received
        finally:
            done.set()
            listener.join()
            os.unlink(SYSLOG)


@pytest.mark.versions
def test_the_token_is_in_no_output_at_the_highest_verbosity_and_in_no_log_file(controller):
    log = controller.home / "ansible.log"
    run = controller.play(PLAY, "-vvvv", "-e", f"ansible_env_home={controller.home}", ANSIBLE_LOG_PATH=str(log))
    assert run.ok, run.output
    assert "EXEC" in run.output, "the run was not verbose"
    for secret in kept_tokens(controller.home):
        assert secret not in run.output
        assert secret not in log.read_text()


@pytest.mark.skipif(os.geteuid() != 0 or os.path.exists(SYSLOG), reason="a syslog daemon of the machine's own is there")
def test_the_token_is_not_in_syslog(controller):
    with syslog() as received:
        run = controller.play(PLAY, "-e", f"ansible_env_home={controller.home}")
    assert run.ok, run.output
    text = b"\n".join(received).decode(errors="replace")
    assert "os_token_issue" in text, "nothing was logged, so the test proves nothing"
    for secret in kept_tokens(controller.home):
        assert secret not in text


def test_no_process_has_the_token_in_its_arguments_or_its_environment(controller):
    """A task looks at itself and at every process that it can see."""
    look = (
        "import pathlib, json, sys\n"
        "tokens = [json.loads(f.read_text())['current']['token'] for f in pathlib.Path(sys.argv[1]).glob('*.json')]\n"
        "assert tokens\n"
        "for process in pathlib.Path('/proc').glob('[0-9]*'):\n"
        "    for name in ('cmdline', 'environ'):\n"
        "        try: text = (process / name).read_bytes().decode(errors='replace')\n"
        "        except OSError: continue\n"
        "        assert not any(token in text for token in tokens), process\n"
    )
    script = controller.home / "look.py"
    script.write_text(look)
    run = controller.play(
        f"""
- onetoken.openstack.os_token_issue: {{cloud: sandbox}}
  register: session
- command: python3 {script} "{{{{ session.session }}}}/tokens"
  environment: "{{{{ session.environment }}}}"
- onetoken.openstack.os_token_revoke: {{session: "{{{{ session.session }}}}"}}
"""
    )
    assert run.ok, run.output


def test_only_the_user_can_read_the_session(controller):
    assert controller.play("- onetoken.openstack.os_token_issue: {cloud: sandbox, session: kept}").ok
    (session,) = controller.sessions
    for path in (session, *session.rglob("*")):
        mode = stat.S_IMODE(path.lstat().st_mode)
        # Python writes its compiled files as it likes; they are behind the session's 0700 anyway.
        if "__pycache__" not in path.parts:
            assert mode in (0o700, 0o600), path
    assert controller.play(f"- onetoken.openstack.os_token_revoke: {{session: {session}}}").ok


def kept_tokens(home: pathlib.Path) -> list[str]:
    """The tokens of a run that is over, from the copy that it made; halves of them too, as a line may be cut."""
    import json

    tokens = [json.loads(file.read_text())["current"]["token"] for file in (home / "kept").glob("*.json")]
    assert tokens
    return [part for token in tokens for part in (token, token[20:80], token[-60:])]
