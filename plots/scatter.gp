# Workloads by two rates on logarithmic axes; what is rarer than 0.1 stands at 0.
#
#   points.tsv   x y key side text   rates that are 0 come as 0.0333
#   regions.tsv  x1 y1 x2 y2 name why   together they fill the picture
#   keys.tsv     suite label -
#   notes.tsv    text

load dir.'/style.gp'
suite_colour(s) = s eq 'compute' ? 0x4d4d4d : s eq 'io' ? 0x0072b2 : 0xd55e00
body_height = 640.
body_top = title_height + key_height + 10
page_height = body_top + body_height + axis_height + 10 + notes_height
key_rgb(i) = suite_colour(key_name[i])
key_fill(i) = 3
load dir.'/page.gp'

points = data.'.points.tsv'
regions = data.'.regions.tsv'
set tmargin at screen page(body_top)
set bmargin at screen page(body_top + body_height)
set lmargin at screen 90. / page_width
set rmargin at screen (page_width - 30.) / page_width
set logscale xy
low = 0.02
zero = 0.0667
stats regions using 3 nooutput
right = STATS_max
stats regions using 4 nooutput
top = STATS_max
set xrange [low : right]
set yrange [low : top]
set border 3 lc rgb '#808080'
unset grid
set xtics ('0' 0.0333)
set ytics ('0' 0.0333)
power(e) = e < 3 ? sprintf('%g', 10. ** e) : \
    sprintf('%g', 10. ** (e % 3)).(e < 6 ? 'k' : 'M')
do for [e = -1:6] {
    set xtics add (power(e) 10. ** e)
    set ytics add (power(e) 10. ** e)
}
set xlabel 'system calls per million instructions' offset 0,0.3
set ylabel 'page-table events per million instructions'
set arrow 1 from zero, low to zero, top nohead lc rgb '#d8d8d8'
set arrow 2 from low, zero to right, zero nohead lc rgb '#d8d8d8'

at(side) = int($4) == side
plot regions using 1:2:1:3:2:4:(int($0) % 2 ? 0xf3f6fa : 0xfaf5ee) \
        with boxxyerror fs solid 1 border rgb '#c8c8c8' lc rgb variable, \
    regions using 3:4:5 with labels right offset char -1,-1 \
        font 'sans-serif,14' tc rgb '#707070', \
    regions using 3:4:6 with labels right offset char -1,-2.1 \
        font 'sans-serif,11' tc rgb '#707070', \
    for [i = 1:keys] points using (int($3) == i - 1 ? $1 : NaN):2 \
        with points pt 7 ps 0.9 lc rgb key_rgb(i), \
    points using (at(0) ? $1 : NaN):2:5 with labels left \
        offset char 1,0 font 'sans-serif,12', \
    points using (at(1) ? $1 : NaN):2:5 with labels right \
        offset char -1,0 font 'sans-serif,12', \
    points using (at(2) ? $1 : NaN):2:5 with labels center \
        offset char 0,0.9 font 'sans-serif,12', \
    points using (at(3) ? $1 : NaN):2:5 with labels center \
        offset char 0,-0.9 font 'sans-serif,12'
unset multiplot
