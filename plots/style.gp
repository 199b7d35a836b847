# What all plots share: palette, names from the key file, page geometry.
#
# A script gets these variables (see harness/report_plot.c):
#   dir                this directory
#   data               prefix of the TSV files; each script names those it reads
#   svg title xlabel   what to draw
#   columns rows keys notes   sizes, see struct tsv_sizes in harness/report.h

set encoding utf8
set datafile separator "\t"
set datafile missing ""

# Okabe and Ito's palette: one colour a backend, the same in every plot; and,
# where all is bt, one an option.
backend_colour(b) = \
    b eq 'native'   ? 0x4d4d4d : b eq 'interp'   ? 0xe69f00 : \
    b eq 'direct'   ? 0x56b4e9 : b eq 'bt'       ? 0x009e73 : \
    b eq 'kvm'      ? 0x0072b2 : b eq 'qemu-tcg' ? 0xcc79a7 : \
    b eq 'qemu-kvm' ? 0xd55e00 : b eq 'bochs'    ? 0xbda800 : \
    b eq 'bt-adaptive' ? 0xd55e00 : b eq 'bt-chain' ? 0x0072b2 : \
    b eq 'bt-inline' ? 0x009e73 : b eq 'bt-unit'  ? 0xe69f00 : \
    b eq 'bt-user'  ? 0xcc79a7 : 0x999999

# Tol's muted palette for kinds of event. Nine hues, solid and then hatched.
kind_colour(k) = \
    k eq 'guest'         ? 0xd0d0d0 : k eq 'unattributed'  ? 0x8c8c8c : \
    k eq 'exit.io'       ? 0x332288 : k eq 'exit.rdtsc'    ? 0x332288 : \
    k eq 'exit.mmio'     ? 0x88ccee : k eq 'exit.invlpg'   ? 0x4499cc : \
    k eq 'exit.cr'       ? 0x44aa99 : k eq 'exit.if'       ? 0x44aa99 : \
    k eq 'exit.msr'      ? 0x117733 : k eq 'exit.desc'     ? 0x117733 : \
    k eq 'exit.cpuid'    ? 0x999933 : k eq 'exit.iret'     ? 0x999933 : \
    k eq 'exit.hlt'      ? 0xddcc77 : k eq 'exit.syscall'  ? 0xee7733 : \
    k eq 'fault.hidden'  ? 0xcc6677 : k eq 'fault.trace'   ? 0xcc6677 : \
    k eq 'exit.interrupt'? 0x882255 : k eq 'exit.signal'   ? 0x882255 : \
    k eq 'exit.hypercall'? 0xaa4499 : k eq 'exit.other'    ? 0xaa4499 : \
    k eq 'guest.syscall' ? 0xee7733 : k eq 'interrupt'     ? 0x882255 : \
    k eq 'ctx.switch'    ? 0x44aa99 : k eq 'walk'          ? 0xddcc77 : \
    k eq 'fault.true'    ? 0x333333 : k eq 'bt.translate'  ? 0x661100 : \
    k eq 'exit.emulated' ? 0x6699cc : 0x555555
# 3 is solid; the others are hatchings of the svg terminal.
kind_pattern(k) = \
    k eq 'exit.rdtsc' || k eq 'exit.if'    || k eq 'exit.iret' || \
    k eq 'fault.true' || k eq 'exception.bp' ? 4 : \
    k eq 'exit.invlpg'|| k eq 'exit.desc'  || k eq 'exit.syscall' || \
    k eq 'exception.ud' ? 5 : \
    k eq 'fault.trace'|| k eq 'exit.signal'|| k eq 'exit.other' || \
    k eq 'ctx.switch' ? 2 : 3

# Several series of one backend: the same hue, paler by a share s of the way to white.
channel(c, bits, s) = (((c >> bits) & 255) + \
    int((255 - ((c >> bits) & 255)) * s)) << bits
shaded(c, s) = channel(c, 16, s) | channel(c, 8, s) | channel(c, 0, s)

max(a, b) = a > b ? a : b

# Page: pixels, from the top.
page_width = 1200.
title_height = 34.
axis_height = 60.
note_height = 17.
notes_height = notes ? 16. + notes * note_height : 0.

array key_name[keys]
array key_label[keys]
array key_shade[keys]
stats data.'.keys.tsv' using \
    (key_name[int($0) + 1] = strcol(1), key_label[int($0) + 1] = strcol(2), \
     key_shade[int($0) + 1] = $3 + 0., 0) nooutput

# The legend: as many columns as the longest label allows.
longest = 0
do for [i = 1:keys] {
    longest = strlen(key_label[i]) > longest ? strlen(key_label[i]) : longest
}
key_width = 50. + 7.4 * longest
key_columns = int(page_width * 0.96 / key_width)
key_columns = key_columns < 1 ? 1 : key_columns > keys ? keys : key_columns
key_height = 10. + 19. * ceil(keys * 1. / key_columns)

array note[notes > 0 ? notes : 1]
if (notes) {
    stats data.'.notes.tsv' using (note[int($0) + 1] = strcol(1), 0) nooutput
}

set border 1 lc rgb '#808080'
set tics nomirror out scale 0.6 tc rgb '#202020'
set grid xtics lc rgb '#d8d8d8' lt 1 lw 0.7
unset ytics
