# Horizontal bars on a logarithmic axis, grouped by benchmark.
#
#   bars.tsv    column y key from to low high noisy text
#   labels.tsv  column y text heading(0|1)
#   keys.tsv    backend label shade
#   notes.tsv   text
#
# from and to are the ends of the bar, low and high those of the 95 % interval.

load dir.'/style.gp'
row_height = 15.
body_top = title_height + key_height + 6
page_height = body_top + rows * row_height + axis_height + notes_height
key_rgb(i) = shaded(backend_colour(key_name[i]), key_shade[i])
key_fill(i) = 3
load dir.'/page.gp'

bars = data.'.bars.tsv'
labels = data.'.labels.tsv'
beyond(a, b, c) = max(max(a, b), c)
width = page_width / columns
name_length = 0
stats labels using (name_length = max(name_length, \
    $4 == 0 ? strlen(strcol(3)) : 0), 0) nooutput
label_width = max(columns > 1 ? 100. : 130., 24. + 7.4 * name_length)

# One range for all columns: room on the right for the figures.
stats bars using 4 nooutput
first = STATS_min
stats bars using 5 nooutput
least = first
first = STATS_min < first ? STATS_min : first
last = STATS_max
stats bars using 6 nooutput
first = STATS_min < first ? STATS_min : first
stats bars using 7 nooutput
last = last > STATS_max ? last : STATS_max
set logscale x
if (first < least) { first = first / (last / first) ** 0.02 }
figure_room = (last / first) ** (columns > 1 ? 0.17 : 0.10)
set xrange [first * 0.9999 : last * figure_room]
set yrange [rows : 0]
power(e) = e < 0 ? sprintf('%g', 10. ** e) : '1'.('00'[1:e % 3]).( \
    e < 3 ? '' : e < 6 ? 'k' : e < 9 ? 'M' : e < 12 ? 'G' : 'T')
# Where a column is narrow, not every power of ten has room for its label.
decade = (width - label_width - 24) / log10(last * figure_room / first)
skip = max(1, int(ceil(44. / decade)))
set xtics ()
do for [e = int(floor(log10(first))):int(ceil(log10(last))) + 1] {
    set xtics add ((e - int(floor(log10(first)))) % skip ? '' : power(e) 10. ** e)
    if (last / first < 2000) {
        do for [m = 2:5:3] {
            set xtics add (e < 0 ? sprintf('%g', m * 10. ** e) \
                : sprintf('%d', m).power(e)[2:*] m * 10. ** e)
        }
    }
}
set xlabel xlabel offset 0,0.3
set tmargin at screen page(body_top)
set bmargin at screen page(body_top + rows * row_height)

do for [c = 0:columns - 1] {
    set lmargin at screen (c * width + label_width) / page_width
    set rmargin at screen ((c + 1) * width - 24) / page_width
    if (c > 0) { unset object; unset label }
    # gnuplot 5.4 crashes on a plot with labels that has no valid point.
    headings = 0
    stats labels using (headings = headings + ($1 == c && $4 == 1), 0) nooutput
    in(k) = int(column(1)) == c && int(column(3)) == k
    plot for [i = 1:keys] bars using \
            (in(i - 1) && $8 == 0 ? $4 : NaN):2:4:5:($2 - 0.44):($2 + 0.44) \
            with boxxyerror fs solid 1 noborder lc rgb key_rgb(i), \
        for [i = 1:keys] bars using \
            (in(i - 1) && $8 == 1 ? $4 : NaN):2:4:5:($2 - 0.44):($2 + 0.44) \
            with boxxyerror fs pattern 4 lc rgb key_rgb(i), \
        bars using ($1 == c ? $5 : NaN):2:6:7 with xerrorbars pt 0 ps 0 \
            lc rgb '#202020' lw 1, \
        bars using ($1 == c ? beyond($4, $5, $7) : NaN):2:9 with labels left \
            offset char 0.6,0 font 'sans-serif,11', \
        labels using ($1 == c && $4 == 0 ? first : NaN):2:3 with labels right \
            offset char -0.8,0, \
        for [h = 1:headings > 0] \
            labels using ($1 == c && $4 == 1 ? first : NaN):2:3 \
            with labels left offset screen -(label_width - 12) / page_width,0 \
            font 'sans-serif,12' tc rgb '#606060'
}
unset multiplot
