"""Peak memory of worker and planner, which have 512 MB."""

from concurrent.futures import ThreadPoolExecutor

from tests.benchmark.processes import result_of
from tests.benchmark.report import Bar, Section

SMALL, LARGE = 10_000, 1_000_000
DENSE = 100_000
MONTH_DAYS, TEN_YEARS_DAYS = 30, 3652


def measure_memory() -> Section:
    """Run each in a process of its own, two at a time: memory does not depend on speed."""
    run = "tests.benchmark.memory_run"
    with ThreadPoolExecutor(2) as pool:
        dense = pool.submit(result_of, ("-m", "tests.simulation.dense_memory", DENSE))
        worker = pool.submit(result_of, ("-m", run, "worker", SMALL, LARGE))
        month = pool.submit(result_of, ("-m", run, "planner", MONTH_DAYS))
        years = pool.submit(result_of, ("-m", run, "planner", TEN_YEARS_DAYS))
    small, large = worker.result()[str(SMALL)], worker.result()[str(LARGE)]
    # That program makes no clients.
    clients = worker.result()["clients"]
    second = max(dense.result()["exportPeak"], dense.result()["sweepPeak"]) + clients
    short, long = month.result()["peak"], years.result()["peak"]
    lines = {
        f"worker, after {SMALL:,} entries": small,
        f"worker, after {LARGE:,} entries": large,
        f"worker, a second of {DENSE:,} entries": second,
        "planner, a month of five-minute pages": short,
        "planner, ten years of five-minute pages": long,
    }
    return Section(
        title="Peak memory: MiB of the whole process",
        columns=("", "MiB"),
        rows=[(name, f"{value:.0f}") for name, value in lines.items()],
        members={
            "peakMiB": {
                "10k": round(small, 1),
                "1M": round(large, 1),
                "denseSecond": round(second, 1),
                "plannerMonth": round(short, 1),
                "plannerTenYears": round(long, 1),
            }
        },
        bars=[
            Bar("memory of 1,000,000 entries ÷ 10,000", large / small, 1.1),
            Bar("memory of a dense second, MiB", second, 512 * 1e6 / 2**20),
        ],
    )
