"""The ways to people: a webhook, a mail server, the log. None of them may hold up or fail a run."""

import logging
import smtplib
import ssl
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

from medallion import clock
from medallion.alerts.message import Message
from medallion.conf.notifications import Channel, Email, Webhook
from medallion.errors import ConfError
from medallion.output import as_text, printable

log = logging.getLogger("medallion.alerts")

TIMEOUT_SECONDS = 10


def send(name: str, channel: Channel, message: Message) -> bool:
    """Send a message; one that cannot be sent is told in a line, without the address, which may be a secret."""
    import httpx

    try:
        if isinstance(channel, Webhook):
            _post(channel, message)
        elif isinstance(channel, Email):
            _mail(channel, message)
        else:
            log.warning("%s", message.text)
        return True
    except (httpx.HTTPError, httpx.InvalidURL, smtplib.SMTPException, OSError, ValueError, ConfError) as error:
        problem = _in_a_word(error)
    # Told once the error is dealt with: a log that cannot be written shows what is being handled, addresses and all.
    log.warning("%s: could not be told: %s", name, problem)
    return False


def _in_a_word(error: Exception) -> str:
    """Return what kind of error it is; its text may repeat an address or a password."""
    import httpx

    code = getattr(error, "smtp_code", None)
    if isinstance(error, httpx.HTTPStatusError):
        code = error.response.status_code
    return type(error).__name__ + (f" {code}" if code else "")


def _post(channel: Webhook, message: Message) -> None:
    import httpx

    said = logging.getLogger("httpx")  # whose every request is told with its address
    said.addFilter(_nothing)
    try:
        body = as_text(message.facts(), indent=None).encode()
        headers = {"Content-Type": "application/json"}
        httpx.post(channel.url.reveal(), content=body, headers=headers, timeout=TIMEOUT_SECONDS).raise_for_status()
    finally:
        said.removeFilter(_nothing)


def _mail(channel: Email, message: Message) -> None:
    mail = EmailMessage()
    mail["Subject"] = printable(message.head.replace("\n", " "))
    mail["From"], mail["To"] = channel.sender, ", ".join(channel.to)
    mail["Date"] = formatdate(clock.now().timestamp())
    mail["Message-ID"] = make_msgid(domain=channel.sender.rpartition("@")[2])
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office note is to answer it
    mail.set_content(message.text)
    context = ssl.create_default_context()
    if channel.tls == "always":
        server: smtplib.SMTP = smtplib.SMTP_SSL(channel.host, channel.port, timeout=TIMEOUT_SECONDS, context=context)
    else:
        server = smtplib.SMTP(channel.host, channel.port, timeout=TIMEOUT_SECONDS)
    with server:
        if channel.tls == "starttls":
            server.starttls(context=context)
        if channel.user and channel.password:
            server.login(channel.user, channel.password.reveal())
        server.send_message(mail)


def _nothing(_: logging.LogRecord) -> bool:
    return False
