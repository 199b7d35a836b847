/* net-tx-1500: a stream of 1500-byte frames out. */
#include "../../guest/lib/bench.h"
#include "net_kernels.h"
#include "netload.h"

const uint32_t net_frame_len = 1500;

DEFINE_BENCHMARK(net_tx_1500, "net-tx-1500", "io", "packet out",
                 "1500-byte packets out, few notifications and interrupts", 0,
                 .refuse = netload_refuse, .init = netload_polled,
                 .kernel = net_tx_kernel, .control = net_tx_control,
                 .checksum = net_tx_checksum, .verify = netload_verify);
