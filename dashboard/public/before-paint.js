(function () {
    var root = document.documentElement;
    var theme = localStorage.getItem('theme');
    var isDark = theme === 'dark' || (theme !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches);
    root.dataset.theme = isDark ? 'dark' : 'light';
    var locale = localStorage.getItem('locale');
    root.lang = locale === 'en' || locale === 'es' ? locale : navigator.language.startsWith('es') ? 'es' : 'en';
})();
