echo {a,b,c}x{1..3} {01..10..3} {z..w} a{,b}c {1..-2} x{a,{b,c}d}y '{a,b}' {single} {a..e..2}
echo pre{" ",_}post file.{txt,log}.bak
