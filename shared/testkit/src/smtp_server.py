"""An SMTP server for tests: PORT HOME [CERTIFICATE KEY]. Each mail it takes becomes a line of JSON in HOME/received.

The local part of a recipient says how it is treated:
  grey...  451 at RCPT, twice
  gone...  550 at RCPT
  full...  452 after DATA, once
  drop...  the connection is cut in DATA, once, and the mail is not taken
  lost...  the mail is taken and the connection cut before the answer, once
  slow...  the mail is taken, and the answer comes when HOME/go exists
"""
import asyncio
import email
import email.policy
import json
import os
import ssl
import sys
from collections import Counter

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

port, home = int(sys.argv[1]), sys.argv[2]
certificate, key = sys.argv[3:5] if len(sys.argv) > 3 else (None, None)
tries = Counter()


def is_first(word, recipient, times=1):
    if not recipient.startswith(word):
        return False
    tries[recipient] += 1
    return tries[recipient] <= times


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if is_first("grey", address, 2):
            return "451 4.7.1 try again later"
        if address.startswith("gone"):
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(self, server, session, envelope):
        to = envelope.rcpt_tos[0]
        if is_first("full", to):
            return "452 4.2.2 mailbox full"
        if is_first("drop", to):
            server.transport.abort()
            return "250 2.0.0 never seen"
        self.keep(to, envelope.content, session.ssl is not None)
        if is_first("lost", to):
            server.transport.abort()
        while to.startswith("slow") and not os.path.exists(os.path.join(home, "go")):
            await asyncio.sleep(0.05)
        return "250 2.0.0 queued"

    @staticmethod
    def keep(to, content, is_secure):
        mail = email.message_from_bytes(content, policy=email.policy.default)
        line = {
            "to": to,
            "message_id": mail["Message-ID"],
            "subject": mail["Subject"],
            "text": mail.get_body(("plain",)).get_content(),
            "html": mail.get_body(("html",)).get_content(),
            "is_secure": is_secure,
        }
        with open(os.path.join(home, "received"), "a", encoding="utf-8") as received:
            received.write(json.dumps(line) + "\n")


def login(server, session, envelope, mechanism, data):
    is_right = isinstance(data, LoginPassword) and (data.login, data.password) == (b"keyway", b"pass word:@/")
    return AuthResult(success=is_right, handled=is_right)


def protocol():
    options = {"hostname": "localhost", "loop": asyncio.get_running_loop()}
    if certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key)
        options |= {"tls_context": context, "require_starttls": True, "auth_required": True, "authenticator": login}
    return SMTP(Handler(), **options)


async def main():
    await asyncio.get_running_loop().create_server(protocol, "localhost", port)
    print("ready", flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
