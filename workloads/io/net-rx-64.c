/* net-rx-64: a stream of 64-byte frames in. */
#include "../../guest/lib/bench.h"
#include "netload.h"

#define LEN 64

static void rx_64_kernel(uint64_t n)
{
    netload_in(n, LEN);
}

/* The request that begins a batch. */
static void rx_64_control(uint64_t n)
{
    (void)n;
    netload_in(0, LEN);
}

static uint64_t rx_64_checksum(void)
{
    return netload_in_checksum(LEN);
}

DEFINE_BENCHMARK(net_rx_64, "net-rx-64", "io", "packet in",
                 "64-byte packets in, few notifications and interrupts", 0,
                 .refuse = netload_refuse, .kernel = rx_64_kernel,
                 .control = rx_64_control, .checksum = rx_64_checksum,
                 .verify = netload_verify);
