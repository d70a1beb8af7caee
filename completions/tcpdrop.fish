# SPDX-License-Identifier: MIT
# fish completion of tcpdrop. Made by tests/complete.

function __tcpdrop_reasons
	tcpdrop --explain 2>/dev/null | sed -n 's/,//g; /^[A-Za-z]/p' | string split " "
end

complete -c tcpdrop -f -a 'src dst host net port portrange ip ip6 and or not reason state'
complete -c tcpdrop -s 4 -l ipv4 -d 'IPv4 only'
complete -c tcpdrop -s 6 -l ipv6 -d 'IPv6 only'
complete -c tcpdrop -s p -l pid -x -a '(__fish_complete_pids)' -d 'drops while PID was on the CPU; 0 is the idle task'
complete -c tcpdrop -s P -l port -x -d 'drops where either end has one of the ports'
complete -c tcpdrop -s i -l interface -x -a '(command ls /sys/class/net)' -d 'drops on this device'
complete -c tcpdrop -l netns-id -x -d 'drops in the network namespace of this number'
complete -c tcpdrop -l pid-netns -x -a '(__fish_complete_pids)' -d 'drops in the network namespace of this process'
complete -c tcpdrop -s c -l count -x -d 'stop after N drops'
complete -c tcpdrop -s d -l duration -x -d 'stop after SECS seconds; fractions allowed'
complete -c tcpdrop -s q -l quiet -d 'one line a drop, no stack'
complete -c tcpdrop -s t -l timestamp -d 'TIME in seconds since the start'
complete -c tcpdrop -s e -l extended -d 'a second line in words: how far off the segment is'
complete -c tcpdrop -s o -l owner -d 'the process that has the socket open'
complete -c tcpdrop -s j -l json -d 'one JSON object a line'
complete -c tcpdrop -s s -l summary -d 'counts instead of drops, every SECS and at the end'
complete -c tcpdrop -s f -l format -x -a 'text json prometheus' -d 'summary as text, json or prometheus'
complete -c tcpdrop -s w -l write -r -F -d 'packets too (pcapng), or the summary; - is stdout'
complete -c tcpdrop -s B -l buffer -x -d 'size of the ring of each CPU, 4 to 1048576'
complete -c tcpdrop -l probe -x -a '(__fish_append , tcp_drop inlined sk_drops sk_skb_reason_drop kfree_skb_reason kfree_skb tracepoint)' -d 'use these probes: tcp_drop, kfree_skb, ...'
complete -c tcpdrop -l offsets -x -d 'override offsets: skb.head=200,...'
complete -c tcpdrop -l check -d 'say what this kernel offers and what is missing'
complete -c tcpdrop -l dump -d 'list the BPF program, of another kernel too'
complete -c tcpdrop -l explain -a '(__tcpdrop_reasons)' -d 'what a reason means and what to look at'
complete -c tcpdrop -n '__fish_prev_arg_in --explain' -a '(__tcpdrop_reasons)'
complete -c tcpdrop -s v -l verbose -d 'offsets, probes tried, the verifier\'s log'
complete -c tcpdrop -s h -l help -d 'this text'
complete -c tcpdrop -s V -l version -d 'the version of tcpdrop'
