# Opens the page: terminal of the right height, title, legend and notes.
# page_height is set by the caller; page(y) turns pixels from the top into
# screen coordinates.
page(y) = 1. - y / page_height
set terminal svg size page_width,page_height fixed noenhanced \
    font 'sans-serif,13' background rgb 'white'
set output svg
set multiplot
set label 1 title at screen 0.5,page(20) center font 'sans-serif,17'
do for [i = 1:notes] {
    set label 100 + i note[i] left font 'sans-serif,12' tc rgb '#404040' \
        at screen 0.008,page(page_height - notes_height + i * note_height - 4)
}
