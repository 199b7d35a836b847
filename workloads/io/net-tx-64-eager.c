/* net-tx-64-eager: 64-byte frames out, nothing suppressed. */
#include "../../guest/lib/bench.h"
#include "netload.h"

#define LEN 64

static void tx_64_eager_kernel(uint64_t n)
{
    netload_out(n, LEN);
}

/* The report that ends a batch. */
static void tx_64_eager_control(uint64_t n)
{
    (void)n;
    netload_out(0, LEN);
}

static uint64_t tx_64_eager_checksum(void)
{
    return netload_out_checksum(LEN);
}

DEFINE_BENCHMARK(
    net_tx_64_eager, "net-tx-64-eager", "io", "packet out",
    "64-byte packets out, a notification and an interrupt for each", 0,
    .refuse = netload_refuse, .init = netload_eager,
    .kernel = tx_64_eager_kernel, .control = tx_64_eager_control,
    .checksum = tx_64_eager_checksum, .verify = netload_verify);
