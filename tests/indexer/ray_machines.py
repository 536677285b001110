"""A Ray cluster of machines that are processes of this one: a head without processors, and two with one each.

Prints its address, the port of its client and the ids of the two; then reads lines from standard input: the id of a
machine, which is then killed. It ends with the end of the input.
"""

import socket
import sys

from ray.cluster_utils import Cluster

STORE = {"object_store_memory": 100 * 2**20, "node_ip_address": "127.0.0.1"}


def main() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    head = {"num_cpus": 0, "ray_client_server_port": port, "include_dashboard": False, **STORE}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    machines = [cluster.add_node(num_cpus=1, **STORE) for _ in range(2)]
    print(cluster.address, port, *(one.node_id for one in machines), flush=True)
    for line in sys.stdin:
        cluster.remove_node(next(one for one in machines if one.node_id == line.strip()), allow_graceful=False)
        print("removed", flush=True)
    cluster.shutdown()


main()
