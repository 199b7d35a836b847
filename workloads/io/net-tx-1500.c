/* net-tx-1500: a stream of 1500-byte frames out. */
#include "../../guest/lib/bench.h"
#include "netload.h"

#define LEN 1500

static void tx_1500_kernel(uint64_t n)
{
    netload_out(n, LEN);
}

/* The report that ends a batch. */
static void tx_1500_control(uint64_t n)
{
    (void)n;
    netload_out(0, LEN);
}

static uint64_t tx_1500_checksum(void)
{
    return netload_out_checksum(LEN);
}

DEFINE_BENCHMARK(net_tx_1500, "net-tx-1500", "io", "packet out",
                 "1500-byte packets out, few notifications and interrupts", 0,
                 .refuse = netload_refuse, .init = netload_polled,
                 .kernel = tx_1500_kernel, .control = tx_1500_control,
                 .checksum = tx_1500_checksum, .verify = netload_verify);
