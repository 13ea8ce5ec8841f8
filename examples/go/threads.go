// SPDX-License-Identifier: BSD-2-Clause

package paligemma

import (
	"runtime"
	"sync"
)

// OpenMP keeps a team of workers for each thread that ever called it. Goroutines wander between threads, so long calls
// are made on threads of their own: the one that was used last is used first, and there are as many as there were calls
// at the same time. Of those, GOMAXPROCS are kept; a thread that ends takes its team along.

var idle struct {
	mutex   sync.Mutex
	threads []chan func()
}

// onThread runs f on a thread of its own, and returns at once.
func onThread(f func()) {
	idle.mutex.Lock()
	defer idle.mutex.Unlock()
	if last := len(idle.threads) - 1; last >= 0 {
		idle.threads[last] <- f
		idle.threads = idle.threads[:last]
		return
	}
	jobs := make(chan func(), 1)
	jobs <- f
	go serve(jobs)
}

// serve runs what comes. It never unlocks its thread, so that the thread ends when it returns.
func serve(jobs chan func()) {
	runtime.LockOSThread()
	for f := range jobs {
		f()
		idle.mutex.Lock()
		if len(idle.threads) >= runtime.GOMAXPROCS(0) {
			idle.mutex.Unlock()
			return
		}
		idle.threads = append(idle.threads, jobs)
		idle.mutex.Unlock()
	}
}
