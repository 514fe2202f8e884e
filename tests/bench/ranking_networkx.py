# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Python user has for an incident of 200 alerting components: everything within 3 hops of them, and PageRank on it,
personalised by them. And the same for a single component. Processor time, median and worst of 20."""
import itertools
import random
import sys
import time

import networkx

ALERTING, HOPS, ROUNDS = 200, 3, 20

graph = networkx.DiGraph(tuple(map(int, line.split())) for line in open(sys.argv[1], encoding="ascii"))
both = graph.to_undirected(as_view=False)
rng = random.Random(42)
nodes = sorted(graph)


def measure(count):
    times, sizes = [], []
    for _ in range(ROUNDS):
        start = rng.choice(nodes)
        spread = networkx.bfs_edges(both, start)
        alerting = {start, *(v for _, v in itertools.islice(spread, count - 1))}
        begin = time.process_time()
        near = networkx.multi_source_dijkstra_path_length(both, alerting, cutoff=HOPS, weight=None)
        networkx.pagerank(graph.subgraph(near), personalization={v: 1.0 for v in alerting})
        times.append((time.process_time() - begin) * 1000)
        sizes.append(len(near))
    times.sort()
    print(
        f"networkx {networkx.__version__}, {len(graph)} nodes: neighbourhood and PageRank of {count} alerting"
        f" p50 {times[len(times) // 2]:.1f} ms, worst {times[-1]:.1f} ms ({sum(sizes) // len(sizes)} vertices)"
    )


measure(1)
measure(ALERTING)
