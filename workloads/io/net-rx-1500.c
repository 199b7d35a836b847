/* net-rx-1500: a stream of 1500-byte frames in. */
#include "../../guest/lib/bench.h"
#include "netload.h"

#define LEN 1500

static void rx_1500_kernel(uint64_t n)
{
    netload_in(n, LEN);
}

/* The request that begins a batch. */
static void rx_1500_control(uint64_t n)
{
    (void)n;
    netload_in(0, LEN);
}

static uint64_t rx_1500_checksum(void)
{
    return netload_in_checksum(LEN);
}

DEFINE_BENCHMARK(net_rx_1500, "net-rx-1500", "io", "packet in",
                 "1500-byte packets in, few notifications and interrupts", 0,
                 .refuse = netload_refuse, .kernel = rx_1500_kernel,
                 .control = rx_1500_control, .checksum = rx_1500_checksum,
                 .verify = netload_verify);
