"""The web shop: network, data, queues, the web service, and its names."""

import pulumi
from alarms import alarm_on_backlog
from data import Database, ReceiptStore
from dns import Names
from network import Network
from services import OrderPipeline, WebService
from settings import Settings
from tagging import tag_everything

settings = Settings.load()
tag_everything({"project": pulumi.get_project(), "stack": pulumi.get_stack()})

network = Network("shop", cidr_block="10.20.0.0/16", zones=2)
database = Database("shop", network=network, settings=settings)
receipts = ReceiptStore("receipts")
orders = OrderPipeline("orders", receipts=receipts, payment_key=settings.payment_key)
web = WebService(
    "web",
    network=network,
    settings=settings,
    environment={"ORDERS_QUEUE": orders.queue.url, "DATABASE_HOST": database.instance.address},
    opts=pulumi.ResourceOptions(depends_on=[database, orders]),
)
names = Names("names", domain=settings.domain, target=web.load_balancer)
alarm_on_backlog(orders.queue, topic=orders.topic)

pulumi.export("url", pulumi.Output.concat("https://", names.shop.fqdn, "/"))
pulumi.export(
    "network",
    {
        "vpc": network.vpc.id,
        "public": [subnet.id for subnet in network.public],
        "zones": [subnet.availability_zone for subnet in network.public],
    },
)
pulumi.export("database", {"host": database.instance.address, "password": database.password.result})
pulumi.export("connection_string", database.connection_string)
pulumi.export("payment_key", settings.payment_key)
pulumi.export("orders", {"queue": orders.queue.arn, "table": orders.table.name, "function": orders.function.name})
pulumi.export("settings", {"instances": settings.instances, "offices": settings.office_networks})
pulumi.export("dashboard", web.dashboard)
