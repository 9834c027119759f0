"""A model server that speaks KServe's protocol v2 over gRPC: a real one, that answers what a test tells it to."""

from __future__ import annotations

import datetime as dt
import ipaddress
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tritonclient.grpc import model_config_pb2, service_pb2, service_pb2_grpc


def certificate(folder):
    """(certificate, key): PEM files of a server on this machine that signs for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    now = dt.datetime.now(dt.UTC)
    made = x509.CertificateBuilder(
        name, name, key.public_key(), x509.random_serial_number(), now, now + dt.timedelta(1)
    )
    made = made.add_extension(names, critical=False)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    files = folder / "server.pem", folder / "server.key"
    files[0].write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, form, plain))
    return files


def texts_of(request):
    """The texts that a request carries."""
    if request.raw_input_contents:
        return [text for held in request.raw_input_contents for text in elements(held)]
    return [text.decode() for tensor in request.inputs for text in tensor.contents.bytes_contents]


def elements(raw):
    found, at = [], 0
    while at < len(raw):
        size = int.from_bytes(raw[at : at + 4], "little")
        found.append(raw[at + 4 : at + 4 + size].decode())
        at += 4 + size
    return found


def packed(*texts):
    encoded = [text if isinstance(text, bytes) else text.encode() for text in texts]
    return b"".join(len(text).to_bytes(4, "little") + text for text in encoded)


def answer(request, *texts, name="text_output", raw=True, final=None, **more):
    """An answer to a request whose one output has these texts."""
    made = service_pb2.ModelInferResponse(model_name=request.model_name, model_version="1", id=request.id, **more)
    output = made.outputs.add(name=name, datatype="BYTES", shape=[len(texts)])
    if raw:
        made.raw_output_contents.append(packed(*texts))
    else:
        output.contents.bytes_contents.extend(text.encode() for text in texts)
    if final is not None:
        made.parameters["triton_final_response"].bool_param = final
    return made


class Peer(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc]  # its classes carry no types
    """`says(request)` answers ModelInfer, `streams(requests)` ModelStreamInfer; what came is kept."""

    def __init__(self, tls=None):
        self.tls = tls
        self.server = grpc.server(ThreadPoolExecutor(16), options=[("grpc.max_receive_message_length", -1)])
        service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(self, self.server)
        if tls is None:
            self.port = self.server.add_insecure_port("127.0.0.1:0")
        else:
            cert, key = (Path(each).read_bytes() for each in tls)
            self.port = self.server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, cert)]))
        self.forget()

    def forget(self):
        self.says = lambda request: answer(request, "nothing")
        self.streams: Any = lambda requests: (answer(request, "nothing", final=True) for request in requests)
        self.on_context: Any = None
        self.asked, self.metadata, self.cancelled = [], [], threading.Event()

    def __enter__(self):
        self.server.start()
        return self

    def __exit__(self, *_):
        self.server.stop(0).wait()

    @property
    def url(self):
        return f"grpcs://localhost:{self.port}" if self.tls else f"grpc://127.0.0.1:{self.port}"

    def _took(self, request, context):
        self.asked.append(request)
        self.metadata.append(dict(context.invocation_metadata()))
        context.add_callback(self.cancelled.set)
        if self.on_context:
            self.on_context(context)

    def ServerLive(self, request, context):  # noqa: N802 -- the protocol's name
        self._took(request, context)
        return service_pb2.ServerLiveResponse(live=True)

    def ServerReady(self, request, context):  # noqa: N802
        self._took(request, context)
        return service_pb2.ServerReadyResponse(ready=True)

    def ModelReady(self, request, context):  # noqa: N802
        self._took(request, context)
        return service_pb2.ModelReadyResponse(ready=True)

    def ServerMetadata(self, request, context):  # noqa: N802
        return service_pb2.ServerMetadataResponse(name="triton", version="2.73.0", extensions=["model_configuration"])

    def ModelMetadata(self, request, context):  # noqa: N802
        made = service_pb2.ModelMetadataResponse(name=request.name, versions=["1"], platform="python")
        made.outputs.add(name="text_output", datatype="BYTES", shape=[-1])
        return made

    def ModelConfig(self, request, context):  # noqa: N802
        config = model_config_pb2.ModelConfig(name=request.name, platform="python", max_batch_size=8)
        config.parameters["note"].string_value = "asked by Zebulon Quartermaine, SSN 536-22-8145"
        return service_pb2.ModelConfigResponse(config=config)

    def ModelInfer(self, request, context):  # noqa: N802
        self._took(request, context)
        said = self.says(request)
        if isinstance(said, tuple):
            context.abort(*said)
        return said

    def ModelStreamInfer(self, requests, context):  # noqa: N802
        def kept():
            for request in requests:
                self._took(request, context)
                yield request

        for said in self.streams(kept()):
            if isinstance(said, tuple):
                context.abort(*said)
            elif isinstance(said, str):
                yield service_pb2.ModelStreamInferResponse(error_message=said)
            elif isinstance(said, service_pb2.ModelInferResponse):
                yield service_pb2.ModelStreamInferResponse(infer_response=said)
            else:
                yield said
