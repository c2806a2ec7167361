"""What applications usually do beside plain content: functions, files, chats, many calls at once, live sessions."""

import asyncio
import datetime
import io
import ipaddress
import json
import os
import ssl
import sys
import tempfile
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from google import genai
from google.genai import errors, types

base_url, api_key, model = sys.argv[1:]
client = genai.Client(api_key=api_key, http_options={"base_url": base_url})
# The calls of all kinds, and those that say which model they are of.
counted = {"calls": 0, "requests": 0, "input": 0, "output": 0}


def count(prompt, candidates, thoughts=0):
    counted["calls"] += 1
    counted["requests"] += 1
    counted["input"] += prompt
    counted["output"] += candidates + thoughts


def counts(answer):
    usage = answer.usage_metadata
    count(usage.prompt_token_count, usage.candidates_token_count, usage.thoughts_token_count)


schema = types.Schema(type="OBJECT", properties={"city": types.Schema(type="STRING")})
declared = types.Tool(function_declarations=[types.FunctionDeclaration(name="weather", description="says how it is", parameters=schema)])
question = types.Content(role="user", parts=[types.Part(text="how is it in Bern")])
called = client.models.generate_content(model=model, contents=[question], config={"tools": [declared]})
assert called.function_calls[0].name == "weather" and called.function_calls[0].args == {"city": "simulated"}, called
counts(called)
result = types.Content(role="user", parts=[types.Part.from_function_response(name="weather", response={"is": "it rains"})])
turns = [question, called.candidates[0].content, result]
answered = client.models.generate_content(model=model, contents=turns, config={"tools": [declared]})
assert answered.text and not answered.function_calls, answered
counts(answered)
chunks = list(client.models.generate_content_stream(model=model, contents=[question], config={"tools": [declared]}))
assert chunks[-1].function_calls[0].args == {"city": "simulated"}, chunks
counts(chunks[-1])


def weather(city: str) -> str:
    """Says how it is."""
    return f"it rains in {city}"


# The SDK makes both calls of the round by itself and shows the figures of the second.
whole = client.models.generate_content(model=model, contents="how is it in Bern", config={"tools": [weather]})
assert len(whole.automatic_function_calling_history) == 3, whole
assert whole.text == answered.text, whole
counts(called)
counts(whole)

chat = client.chats.create(model=model)
counts(chat.send_message("one two three"))
counts(list(chat.send_message_stream("four"))[-1])

content = bytes(range(256)) * 12_000
file = client.files.upload(file=io.BytesIO(content), config={"mime_type": "application/pdf", "display_name": "data"})
assert (file.size_bytes, file.mime_type, file.state.name) == (len(content), "application/pdf", "ACTIVE"), file
assert client.files.get(name=file.name).uri == file.uri
assert file.name in [listed.name for listed in client.files.list()]
counts(client.models.generate_content(model=model, contents=[file, "what is this"]))
client.files.delete(name=file.name)
try:
    client.files.get(name=file.name)
    sys.exit("a deleted file was found")
except errors.ClientError as error:
    assert error.code == 404, error
counted["calls"] += 5


async def many():
    together = genai.Client(api_key=api_key, http_options={"base_url": base_url}).aio
    for answer in await asyncio.gather(*(together.models.generate_content(model=model, contents="one two") for _ in range(20))):
        counts(answer)


def certificate(directory):
    """A certificate for this machine, in one file with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "keyway")])
    today = datetime.datetime.now(datetime.timezone.utc)
    day = datetime.timedelta(days=1)
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(today - day).not_valid_after(today + day).add_extension(here, False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
    path = os.path.join(directory, "keyway.pem")
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    with open(path, "wb") as file:
        file.write(private + builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    return path


async def passed_on(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def live(directory):
    """The SDK opens live sessions with TLS only: in front of Keyway is what ends it, as in production."""
    path = certificate(directory)
    os.environ["SSL_CERT_FILE"] = path
    ends_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ends_tls.load_cert_chain(path)
    keyway = urlsplit(base_url)

    async def connected(reader, writer):
        onward_reader, onward_writer = await asyncio.open_connection(keyway.hostname, keyway.port)
        await asyncio.gather(passed_on(reader, onward_writer), passed_on(onward_reader, writer))

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=ends_tls)
    port = server.sockets[0].getsockname()[1]
    options = {"base_url": f"https://127.0.0.1:{port}{keyway.path}"}
    over_tls = genai.Client(api_key=api_key, http_options=options)
    prompt = output = 0
    async with asyncio.timeout(30), over_tls.aio.live.connect(model=model, config={"response_modalities": ["TEXT"]}) as session:
        for turn in (3, 6):
            said = types.Content(role="user", parts=[types.Part(text="one two three")])
            await session.send_client_content(turns=said, turn_complete=True)
            heard = [message async for message in session.receive()]
            text = "".join(message.text or "" for message in heard)
            assert text == f"This is a simulated answer to {turn} words.", text
            usage = heard[-1].usage_metadata
            assert usage.prompt_token_count == turn, usage
            prompt += usage.prompt_token_count
            output += usage.response_token_count
    # One session is one call, with the tokens of both its turns.
    count(prompt, output)
    server.close()


asyncio.run(many())
with tempfile.TemporaryDirectory() as directory:
    asyncio.run(live(directory))
json.dump(counted, sys.stdout)
