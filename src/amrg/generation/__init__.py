"""amrg.generation"""
