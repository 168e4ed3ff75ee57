"""The worker process: takes jobs from the broker, has their faces found, writes by the rule, acknowledges last.

A search of the index has one thread, so that it does not take the processors from the engine children: on two busy cores two
threads were slower (docs/capacity.md). This stands here because nothing else is imported before it.
"""

from facerec.config import use_one_blas_thread

use_one_blas_thread()
