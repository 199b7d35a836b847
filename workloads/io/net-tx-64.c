/* net-tx-64: a stream of 64-byte frames out. */
#include "../../guest/lib/bench.h"
#include "net_kernels.h"
#include "netload.h"

const uint32_t net_frame_len = 64;

DEFINE_BENCHMARK(net_tx_64, "net-tx-64", "io", "packet out",
                 "64-byte packets out, few notifications and interrupts", 0,
                 .refuse = netload_refuse, .init = netload_polled,
                 .kernel = net_tx_kernel, .control = net_tx_control,
                 .checksum = net_tx_checksum, .verify = netload_verify);
