"""boto3's clients of an endpoint. CloudWatch is spoken to in AWS's query protocol, as the host's SDK does: moto has no CBOR."""

from typing import Any

import boto3
import botocore.config
import botocore.session


class Clients:
    def __init__(self, endpoint: str, region: str, access_key: str = "AKIALABLABLABLABLAB1"):
        session = botocore.session.Session()
        loader = session.get_component("data_loader")
        load = loader.load_service_model

        def in_query(name: str, kind: str, api_version: str | None = None) -> Any:
            model = load(name, kind, api_version)
            if name == "cloudwatch" and kind == "service-2":
                model = {**model, "metadata": {**model["metadata"], "protocol": "query", "protocols": ["query"]}}
            return model

        loader.load_service_model = in_query
        self.session = boto3.Session(aws_access_key_id=access_key, aws_secret_access_key="lab", region_name=region, botocore_session=session)
        self.endpoint, self.made = endpoint, {}

    def client(self, service: str) -> Any:
        if service not in self.made:
            config = botocore.config.Config(retries={"max_attempts": 0}, read_timeout=60, max_pool_connections=20)
            self.made[service] = self.session.client(service, endpoint_url=self.endpoint, config=config)
        return self.made[service]
