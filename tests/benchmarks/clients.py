"""Clients of the server, run as a program: clients.py PORT CLIENTS REQUESTS. Prints what they saw as JSON."""

import http.client
import json
import sys
import threading
import time
from itertools import count
from statistics import median
from urllib.parse import urlencode

QUERIES = (
    "一只猫",
    "两只狗在雪地里奔跑",
    "海边的日落",
    "穿红色衣服的女孩",
    "孩子们在草地上踢足球",
    "骑自行车的男人",
    "城市夜晚的街道",
    "雪山",
    "一群人在吃饭",
    "白色的小狗叼着球",
    "a cat",
    "two dogs running in the snow",
    "sunset at the beach",
    "a girl in a red dress",
    "children playing football on the grass",
    "a man riding a bicycle",
    "a street in the city at night",
    "snowy mountains",
    "a group of people eating",
    "a white dog with a ball",
)
_WARM_UP = 100


def main(port: int, clients: int, requests: int) -> None:
    """Send `requests` queries, and some before that are not counted, from `clients` threads."""
    _ask(port, clients, _WARM_UP)
    started = time.perf_counter()
    answers = _ask(port, clients, requests)
    elapsed = time.perf_counter() - started
    times = sorted(1000 * seconds for seconds, _, _ in answers)
    bodies = [json.loads(body) for _, status, body in answers if status == 200]
    refused = sum(status == 503 for _, status, _ in answers)
    assert len(bodies) + refused == len(answers), {status for _, status, _ in answers}
    assert all(body["hits"] for body in bodies)
    result = {
        "requests": len(answers),
        "refused": refused,
        "p50_ms": median(times),
        "p99_ms": times[min(len(times) - 1, len(times) * 99 // 100)],
        "requests_per_second": len(answers) / elapsed,
        "encode_ms": median(body["timings_ms"]["encode"] for body in bodies),
        "search_ms": median(body["timings_ms"]["search"] for body in bodies),
    }
    print(json.dumps(result))


def _ask(port: int, clients: int, requests: int) -> list[tuple[float, int, bytes]]:
    """Return seconds, status and body of each request; raise if a client ended early."""
    answers: list[tuple[float, int, bytes]] = []
    numbers = count()
    addresses = [f"/v1/search?{urlencode({'q': query, 'k': 20})}" for query in QUERIES]

    def work() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while (number := next(numbers)) < requests:
            started = time.perf_counter()
            connection.request("GET", addresses[number % len(addresses)])
            response = connection.getresponse()
            body = response.read()
            answers.append((time.perf_counter() - started, response.status, body))
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == requests, f"{len(answers)} answers to {requests} requests"
    return answers


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
