# SPDX-License-Identifier: MIT
# bash completion of tcpdrop. Made by tests/complete.

_tcpdrop_words()
{
	COMPREPLY=($(compgen -W "$*" -- "$cur"))
}

# separated by commas
_tcpdrop_list()
{
	compopt -o nospace 2>/dev/null
	COMPREPLY=($(compgen -P "${cur%"${cur##*,}"}" -W "$*" -- "${cur##*,}"))
}

# in any case
_tcpdrop_reasons()
{
	local words=$(tcpdrop --explain 2>/dev/null | sed -n 's/,//g; /^[A-Za-z]/p')
	COMPREPLY=($(compgen -W "$words" -- "$cur"))
	((${#COMPREPLY[@]})) || COMPREPLY=($(compgen -W "$words" -- "${cur^^}"))
}

_tcpdrop()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} equals=

	COMPREPLY=()
	# "--name=value" are three words to bash
	if [[ $cur == = ]]; then
		cur= equals==
	elif [[ $prev == = ]]; then
		prev=${COMP_WORDS[COMP_CWORD-2]} equals==
	fi
	# of letters in one word the last may have its value in the next
	[[ $prev != -[!-]?* ]] || prev=-${prev: -1}
	case $prev$equals in
	--pid= | --pid | -p)
		_tcpdrop_words $(cd /proc && echo [0-9]*)
		return ;;
	--port= | --port | -P)
		:
		return ;;
	--interface= | --interface | -i)
		_tcpdrop_words $(ls /sys/class/net)
		return ;;
	--netns-id= | --netns-id)
		:
		return ;;
	--pid-netns= | --pid-netns)
		_tcpdrop_words $(cd /proc && echo [0-9]*)
		return ;;
	--count= | --count | -c)
		:
		return ;;
	--duration= | --duration | -d)
		:
		return ;;
	--summary=)
		:
		return ;;
	--format= | --format | -f)
		_tcpdrop_words text json prometheus
		return ;;
	--write= | --write | -w)
		compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return ;;
	--buffer= | --buffer | -B)
		:
		return ;;
	--probe= | --probe)
		_tcpdrop_list tcp_drop inlined sk_drops sk_skb_reason_drop kfree_skb_reason kfree_skb tracepoint
		return ;;
	--offsets= | --offsets)
		:
		return ;;
	--dump=)
		:
		return ;;
	--explain= | --explain)
		[[ $cur == -* ]] || { _tcpdrop_reasons; return; } ;;
	reason)
		_tcpdrop_reasons
		return ;;
	esac
	if [[ $cur == -* || -z $cur ]]; then
		_tcpdrop_words -4 --ipv4 -6 --ipv6 -p --pid -P --port -i --interface --netns-id --pid-netns -c --count -d --duration -q --quiet -t --timestamp -e --extended -o --owner -j --json -s --summary -f --format -w --write -B --buffer --probe --offsets --check --dump --explain -v --verbose -h --help -V --version
	else
		_tcpdrop_words src dst host net port portrange ip ip6 and or not reason state
	fi
} &&
complete -F _tcpdrop tcpdrop
