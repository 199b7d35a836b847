/* net-tx-64: a stream of 64-byte frames out. */
#include "../../guest/lib/bench.h"
#include "netload.h"

#define LEN 64

static void tx_64_kernel(uint64_t n)
{
    netload_out(n, LEN);
}

/* The report that ends a batch. */
static void tx_64_control(uint64_t n)
{
    (void)n;
    netload_out(0, LEN);
}

static uint64_t tx_64_checksum(void)
{
    return netload_out_checksum(LEN);
}

DEFINE_BENCHMARK(net_tx_64, "net-tx-64", "io", "packet out",
                 "64-byte packets out, few notifications and interrupts", 0,
                 .refuse = netload_refuse, .init = netload_polled,
                 .kernel = tx_64_kernel, .control = tx_64_control,
                 .checksum = tx_64_checksum, .verify = netload_verify);
