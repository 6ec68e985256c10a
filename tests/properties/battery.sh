# The long form of all of them, with the numbers of cases that are given. usage: battery.sh (COMMAND … --cases N ,)…
set -e
command=""
for word; do
        if [ "$word" = , ]; then
                eval "$command"
                command=""
        else
                command="$command '$word'"
        fi
done
