"""What is kept from one asking to the next: plans and tables under exact keys, signed. A cache never makes an answer other than it was.

`base` is the seam of what keeps bytes (memory, redis, nothing); `signed` lets in only what this product wrote under that very key;
`kept` finds values or has them computed once; `keys` says what a value depends on. Policies of small cells are applied after all of it.
"""
